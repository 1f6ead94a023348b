"""Sources with one kind of noise in a share of their words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Self

from transduce.errors import ConfigError
from transduce.reading.pair_files import Example
from transduce.tokenization.tags import cut_at_tags
from transduce.workflow.noise.letter_case import in_other_case
from transduce.workflow.noise.missing_accents import without_accents
from transduce.workflow.noise.typing_errors import mistyped

__all__ = ["NOISES", "Noise", "noisy"]

Change = Callable[[str, Random], str]

NOISES: dict[str, Change] = {
    "typing": mistyped,
    "case": in_other_case,
    "accents": without_accents,
}
_SHARE = 0.1
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Noise:
    """A kind of noise, and the share of words that have it."""

    kind: str
    share: float = _SHARE

    @classmethod
    def parse(cls, text: str) -> Self:
        """``typing`` or ``typing=0.2``. Raises ConfigError."""
        kind, given, number = text.partition("=")
        if kind not in NOISES:
            raise ConfigError(f"--noise must be one of {', '.join(NOISES)}; got {kind}")
        if not given:
            return cls(kind)
        try:
            share = float(number)
        except ValueError:
            share = -1.0
        if not 0 < share <= 1:
            raise ConfigError(f"--noise {kind} must have a share above 0, at most 1; got {number}")
        return cls(kind, share)


def noisy(examples: Sequence[Example], noise: Noise) -> list[Example]:
    """The examples with noise in their sources; references and tags stay.

    Each source is changed by itself alone, the same way every time: two models are measured on
    the same noise.
    """
    return [
        replace(example, source=_noisy(example.source, noise.share, NOISES[noise.kind]))
        for example in examples
    ]


def _noisy(source: str, share: float, change: Change) -> str:
    chance = Random(source)

    def word(found: re.Match[str]) -> str:
        return change(found.group(), chance) if chance.random() < share else found.group()

    pieces = cut_at_tags(source)
    return "".join(piece if is_tag else _WORD.sub(word, piece) for piece, is_tag in pieces)
