"""How far a run is, and the learning rate that belongs to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from transduce.config import TrainingConfig
from transduce.errors import ConfigError

__all__ = ["LimitName", "Limits", "learning_rate", "sampling_share"]

LimitName = Literal["max_minutes", "max_steps", "max_epochs"]

_SCORINGS = 12  # dev scorings of a run where the config does not say


def learning_rate(config: TrainingConfig, step: int, progress: float) -> float:
    """The learning rate of step ``step`` (0 is the first): ``peak · warm-up · decay``.

    The warm-up is ``min(1, (step + 1) / warmup_steps)``, but ends at the latest when half of the
    run is over. With ``p = progress`` in [0, 1], the used share of the limit that ends the run, the
    decay is 1 (constant), ``1 - p`` (linear), ``(1 + cos πp) / 2`` (cosine; Loshchilov & Hutter
    2017) or, whatever p is, ``min(1, √(warmup_steps / (step + 1)))`` (inverse-square-root;
    Vaswani et al. 2017, equation 3).
    """
    warmup = 1.0
    if config.warmup_steps:
        warmup = min(1.0, max((step + 1) / config.warmup_steps, 2 * progress))
    match config.schedule:
        case "constant":
            decay = 1.0
        case "linear":
            decay = 1 - progress
        case "cosine":
            decay = (1 + math.cos(math.pi * progress)) / 2
        case "inverse-square-root":
            decay = min(1.0, math.sqrt(max(config.warmup_steps, 1) / (step + 1)))
    return config.learning_rate * warmup * decay


def sampling_share(config: TrainingConfig, progress: float) -> float:
    """Share of decoder inputs taken from the model: 0 at first, in full from half of the run on."""
    return config.scheduled_sampling * min(1.0, 2 * progress)


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a run, and when the dev set is scored on the way there."""

    minutes: float | None
    steps: int | None
    epochs: int | None
    scorings: int

    @classmethod
    def of(cls, config: TrainingConfig) -> Limits:
        """Raises ConfigError where no limit is set."""
        minutes, steps, epochs = config.max_minutes, config.max_steps, config.max_epochs
        if minutes is None and steps is None and epochs is None:
            raise ConfigError(
                "training.max_minutes, training.max_steps or training.max_epochs must be set; "
                "got none, so training would never end"
            )
        scorings = _SCORINGS
        if minutes is None and steps is None and epochs is not None:
            # At the ends of epochs, where that is not too seldom or too often. Someone who waits
            # for patience to end the run sets many epochs, and wants every one scored.
            patient = config.patience is not None and epochs > 20
            scorings = epochs if 10 <= epochs <= 20 or patient else scorings
        return cls(minutes, steps, epochs, scorings)

    def progress(self, step: int, epochs: float, minutes: float, reserve: float = 0.0) -> float:
        """The largest used share of any limit, in [0, 1].

        ``epochs`` may be fractional. ``reserve`` (minutes) is kept back for the last dev scoring,
        at most half of the time.
        """
        used = [0.0]
        if self.minutes is not None:
            used.append(minutes / (self.minutes - min(reserve, self.minutes / 2)))
        if self.steps is not None:
            used.append(step / self.steps)
        if self.epochs is not None:
            used.append(epochs / self.epochs)
        return min(1.0, max(used))

    def reached(
        self, step: int, epochs: float, minutes: float, reserve: float = 0.0
    ) -> LimitName | None:
        """The limit that is reached, by its name in the config; None: go on."""
        if self.steps is not None and step >= self.steps:
            return "max_steps"
        if self.epochs is not None and epochs >= self.epochs:
            return "max_epochs"
        if self.progress(step, epochs, minutes, reserve) >= 1:
            return "max_minutes"
        return None

    def interval(self, progress: float) -> int:
        """Which interval of the run this is, 0 to ``scorings``; each ends with a dev scoring."""
        return math.floor(progress * self.scorings + 1e-9)
