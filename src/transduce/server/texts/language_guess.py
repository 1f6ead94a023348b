"""Which of a few languages a text is written in: by its script, small words and rare letters.

Meant for the handful that a server's models read. Where nothing speaks for one of them, all are
equally likely, and that is what is said. What is known of languages is in ``language_words.json``:
scripts (as the names of Unicode's characters begin; Latin unless said), small words, letters that
few others have, other codes.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["base_code", "guessed_languages"]

_CHARACTERS = 4000  # that are looked at: more would not make it surer
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = ("LATIN",)
_NOTHING = 0.01  # the weight of a language that only its script speaks for


@dataclass(frozen=True, slots=True)
class _Language:
    """What is known of one."""

    scripts: tuple[str, ...] = _LATIN
    words: frozenset[str] = frozenset()
    letters: str = ""


_UNKNOWN = _Language()


def guessed_languages(text: str, codes: Sequence[str]) -> list[tuple[str, float]]:
    """Each of the ``codes`` with its share of 1, the likeliest first, even ones in their order."""
    start = text[:_CHARACTERS].lower()
    letters, words = Counter(filter(str.isalpha, start)), Counter(_WORD.findall(start))
    scripts: Counter[str] = Counter()
    for letter, count in letters.items():
        scripts[unicodedata.name(letter, "").partition(" ")[0]] += count
    weights = [_weight(code, letters, words, scripts) for code in codes]
    total = sum(weights)
    shares = [weight / total if total else 1 / len(codes) for weight in weights]
    return sorted(zip(codes, shares, strict=True), key=lambda own: -own[1])


def base_code(code: str) -> str:
    """``de`` for ``deu_Latn`` and ``de-AT``."""
    own = _parts(code)[0]
    return _known()[1].get(own, own)


def _weight(code: str, letters: Counter[str], words: Counter[str], scripts: Counter[str]) -> float:
    languages, _, told = _known()
    own = languages.get(base_code(code), _UNKNOWN)
    written = told.get(_parts(code)[-1], own.scripts)
    known = sum(scripts[script] for script in written) / max(1, sum(scripts.values()))
    small = sum(count for word, count in words.items() if word in own.words)
    rare = sum(letters[letter] for letter in own.letters)
    # Of ten words some three are small, of a hundred letters some three are rare.
    share = small / max(1, sum(words.values())) + 3 * rare / max(1, sum(letters.values()))
    return float(known**2 * (_NOTHING + share**2))


def _parts(code: str) -> list[str]:
    return code.lower().replace("_", "-").split("-")


@cache
def _known() -> tuple[dict[str, _Language], dict[str, str], dict[str, tuple[str, ...]]]:
    """Languages, their other codes, and the scripts that a code may name (``srp_Latn``)."""
    text = files(__package__).joinpath("language_words.json").read_text(encoding="utf-8")
    data = json.loads(text)
    languages: dict[str, _Language] = {}
    shorter: dict[str, str] = {}
    for code, own in data["languages"].items():
        words = frozenset(own.get("words", "").split())
        scripts = tuple(own.get("scripts", _LATIN))
        languages[code] = _Language(scripts, words, own.get("letters", ""))
        shorter |= dict.fromkeys(own.get("also", "").split(), code)
    return languages, shorter, {name: tuple(of) for name, of in data["scripts"].items()}
