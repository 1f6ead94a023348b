"""What fingers do to a word: neighbours swapped, a letter left out, twice, or the key beside it."""

from __future__ import annotations

from random import Random

__all__ = ["mistyped"]

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_BESIDE = {
    letter: "".join(row[place] for place in (at - 1, at + 1) if 0 <= place < len(row))
    for row in _ROWS
    for at, letter in enumerate(row)
}


def mistyped(word: str, chance: Random) -> str:
    """The word with one error of four kinds (Belinkov & Bisk 2018, section 3.2), evenly drawn.

    A letter that has no place on an English keyboard is written twice in the place of the key
    beside it; so is the letter of a word of one, which nothing else would leave readable.
    """
    place = chance.randrange(len(word))
    letter, kind = word[place], chance.randrange(4)
    if len(word) > 1:
        if kind == 0:
            start = min(place, len(word) - 2)
            return f"{word[:start]}{word[start + 1]}{word[start]}{word[start + 2 :]}"
        if kind == 1:
            return word[:place] + word[place + 1 :]
        if kind == 2 and (beside := _BESIDE.get(letter.lower())):
            other = chance.choice(beside)
            typed = other.upper() if letter.isupper() else other
            return word[:place] + typed + word[place + 1 :]
    return word[:place] + letter + word[place:]
