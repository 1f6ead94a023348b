"""Which way threads share the work of a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol

import torch
from torch import nn

from transduce.config import TrainingConfig
from transduce.training.chunks.cut import draws_elsewhere, goes_word_by_word, is_worth_cutting
from transduce.training.distributed import Processes

__all__ = ["FixedWay", "MeasuredWay", "Way", "Ways", "choose_ways"]

_LEAST_STEPS = 3  # of a trial, the first of which does not count
_TRIAL = 0.4  # seconds at least
_ROUND = 20.0  # seconds in steps at least from one trial of all ways to the next
_TIMES = 15  # and so many times what the trials took


class Way(Enum):
    """How the threads that torch is allowed share a step."""

    ALONE = "one thread"
    TOGETHER = "operations shared out"
    CHUNKS = "chunks of sentences"


class Ways(Protocol):
    """Says which way each step goes."""

    def next(self) -> Way:
        """For the step that is about to begin."""
        ...

    def took(self, tokens: float) -> None:
        """That step is over, from a batch of so many real target tokens."""
        ...


class FixedWay:
    """The same for all steps."""

    def __init__(self, way: Way) -> None:
        self._way = way

    def next(self) -> Way:
        """That one."""
        return self._way

    def took(self, tokens: float) -> None:
        """Nothing to learn from."""


class MeasuredWay:
    """The fastest, tried anew now and then: what else runs on a machine comes and goes.

    In each round every way is tried for some steps; the one with the most tokens a second is kept
    for the rest of it.
    """

    def __init__(self, ways: Sequence[Way], clock: Callable[[], float] = time.monotonic) -> None:
        self._ways, self._clock = tuple(ways), clock
        self._paces: list[float] = []  # tokens a second of the ways tried in this round
        self._chosen: Way | None = None
        self._began = 0.0  # the step under way
        self._spent = 0.0  # seconds in steps of this round
        self._steps, self._seconds, self._tokens = 0, 0.0, 0.0  # of this trial
        self._length = 0.0  # of this round, once the trials are over

    def next(self) -> Way:
        """The one on trial, or the fastest."""
        if self._chosen is not None and self._spent >= self._length:
            self._paces, self._chosen, self._spent = [], None, 0.0
        self._began = self._clock()
        return self._current()

    def took(self, tokens: float) -> None:
        """A step of the way that ``next`` gave last."""
        seconds = self._clock() - self._began
        self._spent += seconds
        if self._chosen is not None:
            return
        self._steps += 1
        if self._steps > 1:  # the first may meet cold caches
            self._seconds += seconds
            self._tokens += tokens
        if self._steps >= _LEAST_STEPS and self._seconds >= _TRIAL:
            self._paces.append(self._tokens / max(self._seconds, 1e-9))
            self._steps, self._seconds, self._tokens = 0, 0.0, 0.0
            if len(self._paces) == len(self._ways):
                self._choose()

    def _choose(self) -> None:
        best = max(range(len(self._ways)), key=lambda place: self._paces[place])
        self._chosen = self._ways[best]
        self._length = max(_ROUND, (1 + _TIMES) * self._spent)

    def _current(self) -> Way:
        return self._ways[len(self._paces)] if self._chosen is None else self._chosen


def choose_ways(config: TrainingConfig, model: nn.Module, processes: Processes) -> Ways:
    """Measured where minutes are the limit, so that no two runs make the same steps anyway; else
    fixed, by model and batch alone.

    A GPU wants batches whole. Several processes do too: they exchange gradients as these are made,
    and a process each is already a way to meet once a batch.
    """
    alone = processes.world == 1 and processes.device.type == "cpu"
    if not alone or torch.get_num_threads() == 1:
        return FixedWay(Way.TOGETHER)
    cut = not draws_elsewhere(model)
    if config.max_minutes is not None:
        uncut = (Way.ALONE, Way.TOGETHER)
        return MeasuredWay((Way.CHUNKS, *uncut) if cut else uncut)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    cut = cut and not goes_word_by_word(model) and is_worth_cutting(parameters, config.batch_tokens)
    return FixedWay(Way.CHUNKS if cut else Way.TOGETHER)
