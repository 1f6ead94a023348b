"""Noise on the sources of pairs that a model made: such pairs teach more than clean ones.

Edunov et al. (2018), "Understanding Back-Translation at Scale", section 3, after Lample et al.
(2018): words are left out with p = 0.1, words are hidden behind a blank with p = 0.1, and words
change places, by three at most. He et al. (2020) do the like to the sources of self-training.
"""

from __future__ import annotations

from random import Random

from transduce.tokenization.tags import tag_symbol

__all__ = ["BLANK", "noised"]

BLANK = tag_symbol("blank")  # one symbol, whatever the tokenizer
_LEFT_OUT = 0.1
_HIDDEN = 0.1
_FARTHEST = 3


def noised(text: str, chance: Random, *, characters: bool = False) -> str:
    """A text whose words, or ``characters``, are left out, hidden and moved; never an empty one."""
    units = list(text) if characters else text.split()
    kept = [unit for unit in units if chance.random() >= _LEFT_OUT]
    kept = kept or units[:1]
    hidden = [BLANK if chance.random() < _HIDDEN else unit for unit in kept]
    return ("" if characters else " ").join(_moved(hidden, chance))


def _moved(units: list[str], chance: Random) -> list[str]:
    """In the order of i + u, u even in [0, k + 1): none is more than k places from where it was."""
    places = [(number + chance.random() * (_FARTHEST + 1), number) for number in range(len(units))]
    return [units[number] for _, number in sorted(places)]
