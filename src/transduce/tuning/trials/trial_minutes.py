"""How a tuning's minutes are shared out: how long each trial trains, and what is left to the end.

All trials train equally long, each by the clock: a large model makes fewer steps, as it does in
the training that the recipe is for. Trials that are behind at their dev scorings are ended by the
median rule (Golovin et al. 2017): after a quarter of a trial's minutes, and from the fifth trial
on, one that has been below the median of the finished ones at the same share of their minutes.
Successive halving would end two of three at the first look, where small models and high rates
are ahead of those that win; the median rule ends about half, and only what is in the worse half
all the way.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Shares", "share_minutes"]

_ENDING = 0.1  # of all minutes: beams on dev, two models on test
_LONGEST_ENDING = 10.0
_TRIALS = 16  # that fit in if none is ended early: twice as many make more noise than difference
_ROUNDS = 4  # of trials on each core, however many cores there are: later ones learn from earlier
_BESIDE = 0.9  # share of a trial that is training; the rest is what comes before and after


@dataclass(frozen=True)
class Shares:
    """Minutes: of each trial's training, and of the end, when no trial trains any more."""

    trial: float
    ending: float


def share_minutes(minutes: float, jobs: int, longest: float | None = None) -> Shares:
    """``jobs`` trials train side by side; ``longest`` is what the recipe's own training takes."""
    ending = min(minutes * _ENDING, _LONGEST_ENDING)
    left = (minutes - ending) * _BESIDE
    trial = min(left * jobs / _TRIALS, left / _ROUNDS)
    trial = float(f"{trial:.2g}")
    return Shares(trial if longest is None else min(trial, longest), ending)
