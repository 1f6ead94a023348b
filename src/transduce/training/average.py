"""Averages of the weights over the run: often a better model than its last step."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from transduce.config import TrainingConfig
from transduce.training.record.restoring import fitting, fitting_count

__all__ = ["Average", "LastAverage", "MovingAverage", "NoAverage", "choose_average", "swapped"]


class Average(Protocol):
    """What training needs of an average. Names and shapes are those of the parameters."""

    def after_step(self) -> None:
        """See the weights after each step."""
        ...

    def before_scoring(self) -> None:
        """See the weights before each dev scoring."""
        ...

    def weights(self) -> list[Tensor] | None:
        """The average, in the order of the parameters; None: the weights themselves."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """All that a resume needs."""
        ...

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what ``tensors`` gave. Raises ModelError where they are others."""
        ...


class NoAverage:
    """The weights themselves."""

    def after_step(self) -> None:
        """Nothing to do."""

    def before_scoring(self) -> None:
        """Nothing to do."""

    def weights(self) -> None:
        """The weights themselves are meant."""

    def tensors(self) -> dict[str, Tensor]:
        """Nothing to keep."""
        return {}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Nothing to restore."""


class MovingAverage:
    """Exponential: ``a ← d·a + (1 - d)·w`` after each step (Polyak & Juditsky 1992).

    In step n = 1, 2, … the decay is ``d = min(decay, (1 + n) / (10 + n))``, so that the weights
    of the start do not weigh on a short run.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self._names = [name for name, _ in model.named_parameters()]
        self._live = [parameter.detach() for parameter in model.parameters()]
        self._average = [tensor.clone() for tensor in self._live]

    def after_step(self) -> None:
        """Move the average towards the weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self._average, self._live, 1 - decay)

    def before_scoring(self) -> None:
        """Nothing to do."""

    def weights(self) -> list[Tensor]:
        """The average of now."""
        return self._average

    def tensors(self) -> dict[str, Tensor]:
        """The average and its number of steps."""
        return {
            **dict(zip(self._names, self._average, strict=True)),
            "#steps": torch.tensor(self.steps),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what ``tensors`` gave."""
        self.steps = fitting_count(tensors, "#steps")
        for name, tensor in zip(self._names, self._average, strict=True):
            tensor.copy_(fitting(tensors, name, tensor))


class LastAverage:
    """The mean of the weights at the last ``count`` dev scorings (Vaswani et al. 2017, 6.1)."""

    def __init__(self, model: nn.Module, count: int) -> None:
        self._names = [name for name, _ in model.named_parameters()]
        self._live = [parameter.detach() for parameter in model.parameters()]
        self._kept: deque[list[Tensor]] = deque(maxlen=count)

    def after_step(self) -> None:
        """Nothing to do."""

    def before_scoring(self) -> None:
        """Keep the weights of now; the oldest go."""
        self._kept.append([tensor.clone() for tensor in self._live])

    def weights(self) -> list[Tensor] | None:
        """The mean of what is kept."""
        if not self._kept:
            return None
        return [torch.stack(tensors).mean(0) for tensors in zip(*self._kept, strict=True)]

    def tensors(self) -> dict[str, Tensor]:
        """The kept weights, numbered from the oldest."""
        return {
            f"{number}.{name}": tensor
            for number, kept in enumerate(self._kept)
            for name, tensor in zip(self._names, kept, strict=True)
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what ``tensors`` gave."""
        self._kept.clear()
        for number in range(len(tensors) // len(self._names)):
            self._kept.append(
                [
                    fitting(tensors, f"{number}.{name}", live).to(live.device)
                    for name, live in zip(self._names, self._live, strict=True)
                ]
            )


def choose_average(model: nn.Module, config: TrainingConfig) -> Average:
    """The average that the config asks for."""
    match config.average:
        case "ema":
            return MovingAverage(model, config.ema_decay)
        case "last":
            return LastAverage(model, config.average_last)
        case "none":
            return NoAverage()


@contextmanager
def swapped(model: nn.Module, average: Average) -> Iterator[None]:
    """Within the block the model has the averaged weights; after it its own again, bit by bit."""
    weights = average.weights()
    if weights is None:
        yield
        return
    live = [parameter.detach() for parameter in model.parameters()]
    own = [tensor.clone() for tensor in live]
    torch._foreach_copy_(live, weights)
    try:
        yield
    finally:
        torch._foreach_copy_(live, own)
