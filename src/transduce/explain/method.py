"""What every method that explains is: one protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from transduce.explain.asking.subject import Subject

__all__ = ["Method", "UnitWeights"]


@dataclass(frozen=True)
class UnitWeights:
    """How much each unit of the source, and each token before, has to do with each number.

    ``source`` float64 ``[Q, U]``; ``prefix`` float64 ``[Q, T]``, zero at what comes later, None
    where the method says nothing of it. ``signed``: a weight may speak against. ``figures`` are
    what the method has to say of itself, by name: the completeness gap.
    """

    source: Tensor
    prefix: Tensor | None
    signed: bool
    figures: Mapping[str, float] = field(default_factory=dict)


class Method(Protocol):
    """A way to weigh what a model read. Its options are the fields of a frozen dataclass."""

    @property
    def name(self) -> str:
        """As it is asked for: ``input-x-gradient``."""
        ...

    def weigh(self, subject: Subject) -> UnitWeights:
        """The weights of one source and output.

        Raises ModelError where the model has not what the method looks at.
        """
        ...
