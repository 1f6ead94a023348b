"""Texts that tokenizers have trouble with, and what has to hold for all of them."""

from __future__ import annotations

from typing import Any

from fuzz.harness import WrongAnswerError

__all__ = ["TEXTS", "try_texts"]

TEXTS = [
    "hello world",
    "abc ⟪PL⟫ <pad> </s> é ﷺ",
    "",
    "   ",
    "a" * 60,
    "日本語 \n\t x",
    "\0 \u2581 \u2028 \ufffe",
    "don't 123 !! <extra> <user>",
    "👍🏽 e\u0301",
]


def try_texts(symbols: Any) -> object:
    """Cut, number, join and name; all numbers are of symbols that there are."""
    rows = symbols.encode(TEXTS)
    for row in rows:
        if row and not 0 <= min(row) <= max(row) < symbols.size:
            raise WrongAnswerError(f"numbers must be below {symbols.size}; got {row}")
        symbols.decode(row).encode()
        symbols.symbols(row)
    few = list(range(min(symbols.size, 60)))
    symbols.decode(few).encode()
    symbols.symbols(few)
    return [min(3, len(row)) for row in rows[:3]]
