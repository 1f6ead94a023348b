"""What is told of the steps: to the log, to a person, and as an error where the loss is lost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from transduce.errors import TrainingError
from transduce.evaluation.by_part import parted
from transduce.training.learner import Means
from transduce.training.record.log import RunLog
from transduce.training.record.position import Position
from transduce.training.record.progress import Progress, Status

__all__ = ["Reporter", "refuse_infinite"]


def refuse_infinite(means: Means, step: int, rate: float) -> None:
    """Raise TrainingError if the loss or the gradient is not finite."""
    if not means.finite:
        raise TrainingError(
            f"the loss must be a finite number; got {means.loss} at or shortly before step {step} "
            f"(learning rate {rate:.2e}, gradient norm {means.gradient_norm:.3g}): lower "
            "training.learning_rate, set training.clip_norm, lengthen training.warmup_steps or "
            "set training.precision=float32"
        )


class Reporter:
    """Keeps the log and the display of a run, of the first process only."""

    def __init__(self, log: RunLog, display: Progress, metric: str = "loss") -> None:
        self.log = log
        self.display = display
        self._metric = metric
        self._tokens, self._seconds = 0, 0.0

    def begin(self, position: Position, identity: dict[str, Any], resumed: bool) -> None:
        """The run starts or goes on: forget what the log knows of a lost future."""
        scored = {round(entry["step"]) for entry in position.history}
        self.log.forget_after(position.step if resumed else -1, scored)
        self.log.write("resume" if resumed else "start", position.step, identity)
        self._tokens, self._seconds = position.target_tokens, position.seconds_in_steps

    def steps(
        self,
        position: Position,
        means: Means,
        rate: float,
        *,
        epochs: float,
        minutes: float,
        progress: float,
    ) -> None:
        """The means over the steps since the last call."""
        tokens = position.target_tokens - self._tokens
        seconds = max(position.seconds_in_steps - self._seconds, 1e-9)
        self._tokens, self._seconds = position.target_tokens, position.seconds_in_steps
        values = {
            "objective": means.objective,
            "loss": means.loss,
            "gradient_norm": means.gradient_norm,
            **_shares(means.objectives),
            "learning_rate": rate,
            "epoch": round(epochs, 4),
            "tokens_per_second": round(tokens / seconds, 1),
            "minutes": round(minutes, 5),
        }
        self.log.write("step", position.step, values)
        self.display.step(
            Status(position.step, epochs, means.loss, rate, tokens / seconds, minutes, progress)
        )

    def scored(self, step: int, metrics: dict[str, float], best: bool) -> None:
        """A dev scoring; of a mixture's parts a person sees what the best is chosen by."""
        self.log.write("dev", step, {**metrics, "best": best})
        overall, by_part = parted(metrics)
        self.display.scored(step, overall, best)
        if by_part:
            values = {part: found.get(self._metric, math.nan) for part, found in by_part.items()}
            shown = "  ".join(f"{part} {value:.2f}" for part, value in values.items())
            self.display.say(f"  {self._metric}  {shown}")


def _shares(objectives: Mapping[str, float]) -> dict[str, float]:
    """Each objective by itself, where there are several."""
    if len(objectives) < 2:
        return {}
    return {f"objective/{name}": value for name, value in objectives.items()}
