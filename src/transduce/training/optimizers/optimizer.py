"""What changes the weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from torch import Tensor

from transduce.training.chunks.team import Job

__all__ = ["Optimizer", "Workers"]

Workers = Callable[[Sequence[Job]], None]  # does all jobs, in any order, maybe side by side


class Optimizer(Protocol):
    """Changes weights by their gradients, and remembers what it needs for the next step."""

    def clear(self) -> None:
        """Forget the gradients."""
        ...

    def step(self, rate: float, workers: Workers) -> None:
        """Change all weights that have a gradient; ``rate`` is the learning rate."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """All that a resume needs, by names that end with that of the weight."""
        ...

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what ``tensors`` gave. Raises ModelError where the weights are others."""
        ...
