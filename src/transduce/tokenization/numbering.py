"""Between the numbers that a published checkpoint gives its symbols and ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transduce.errors import ModelError
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN
from transduce.untrusted.tokenizer_json import MOST_SYMBOLS

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Numbering"]

_SPECIALS = 4


@dataclass(frozen=True, slots=True)
class Numbering:
    """Ours are PADDING, UNKNOWN, BEGIN, END, then all of theirs in order but pad, unk and eos.

    ``start`` is what their decoder reads first, so BEGIN stands for it; it keeps its own place
    too where it is an ordinary symbol. ``end`` is their eos. A checkpoint without ``padding`` or
    ``unknown`` (None) has those stand for its eos, which no text can hold. Raises ModelError where
    a number is none of a symbol.
    """

    size: int
    padding: int | None
    unknown: int | None
    start: int
    end: int

    def __post_init__(self) -> None:
        """Refuse numbers that are none of a symbol."""
        if type(self.size) is not int or not 0 < self.size <= MOST_SYMBOLS:
            raise ModelError(f"vocabulary must have 1 to {MOST_SYMBOLS:,} symbols; got {self.size}")
        given = {"padding": self.padding, "unknown": self.unknown}
        given = {name: number for name, number in given.items() if number is not None}
        for name, number in {**given, "start": self.start, "end": self.end}.items():
            self.require((number,), f"the {name}")

    def require(self, numbers: Iterable[object], what: str) -> None:
        """Raise ModelError unless all are numbers of their symbols; ``what`` they stand for."""
        for number in numbers:
            if type(number) is not int or not 0 <= number < self.size:
                raise ModelError(
                    f"symbols must be numbered 0 to {self.size - 1}; got {number!r} for {what}"
                )

    def rows(self) -> list[int]:
        """For each of our numbers theirs."""
        specials = (self.padding, self.unknown, self.start, self.end)
        taken = {self.padding, self.unknown, self.end}
        others = [number for number in range(self.size) if number not in taken]
        return [self.end if number is None else number for number in specials] + others

    def numbers(self) -> list[int]:
        """For each of their numbers ours; their pad, unk and eos in a text are UNKNOWN."""
        ours = [UNKNOWN] * self.size
        for number, theirs in enumerate(self.rows()):
            if number >= _SPECIALS:
                ours[theirs] = number
        return ours

    def permuted(self, table: Tensor) -> Tensor:
        """Rows ``[V, …]`` of a table of theirs in our order."""
        import torch

        return table[torch.tensor(self.rows(), device=table.device)]

    def invented(self) -> list[int]:
        """Our numbers that only repeat another: no softmax counts them."""
        taken = {END: self.end, PADDING: self.padding, UNKNOWN: self.unknown}
        return [BEGIN, *(number for number, theirs in taken.items() if theirs is None)]

    def translate(self, theirs: Iterable[int]) -> list[int]:
        """Our numbers of theirs, special ones among them."""
        special = {self.end: END, self.unknown: UNKNOWN, self.padding: PADDING}
        taken = {number for number in special if number is not None}
        return [
            special.get(number, number + _SPECIALS - sum(other < number for other in taken))
            for number in theirs
        ]
