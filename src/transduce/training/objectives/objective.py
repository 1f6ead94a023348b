"""What training makes small."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from transduce.training.objectives.forward import Forward

__all__ = ["Objective"]


class Objective(Protocol):
    """One thing that training makes small.

    It may be handed some sentences of a batch while other threads are handed the others, and draws
    random numbers from :func:`transduce.modules.chance.generator`.

    It is handed the batch's :class:`Forward` and gives a sum over the batch's real target tokens
    (or sentences), a scalar with a gradient; the learner divides by the number of real target
    tokens of the step. What else it needs (a teacher, a metric, texts) its constructor is given.
    It runs outside of reduced precision; what the ``Forward`` makes is in the model's.
    """

    @property
    def name(self) -> str:
        """In the log."""
        ...

    def __call__(self, forward: Forward) -> Tensor:
        """The sum, a scalar."""
        ...
