"""Which dev scoring was the best, and whether to wait for a better one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from transduce.errors import TrainingError
from transduce.metrics.known import metric_named

__all__ = ["Selection"]


@dataclass(slots=True)
class Selection:
    """The best dev scoring so far by one metric, and early stopping on it.

    Of two with an equal metric (0 % right at each of the first scorings) the one with the lower
    loss is better; with an equal loss too, the earlier.

    ``patience`` is the number of scorings in a row without a new best that end the run.
    """

    metric: str
    patience: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)  # of the best scoring
    step: int | None = None
    misses: int = 0

    def offer(self, step: int, metrics: Mapping[str, float]) -> bool:
        """Take note of a dev scoring; true if it is the best so far.

        Raises TrainingError if there is nothing in it or not the metric.
        """
        if not metrics:
            raise TrainingError(
                "dev must hold at least one pair to score; got nothing: set data.dev, or a larger "
                "data.dev_fraction"
            )
        if self.metric not in metrics:
            raise TrainingError(
                f"training.metric must be one of {', '.join(metrics)}; got {self.metric!r}"
            )
        better = self._is_better(metrics)
        if better:
            self.metrics, self.step, self.misses = dict(metrics), step, 0
        else:
            self.misses += 1
        return better

    def _is_better(self, metrics: Mapping[str, float]) -> bool:
        value = metrics[self.metric]
        if self.step is None:
            return not math.isnan(value)
        best = self.metrics[self.metric]
        if value == best:
            return metrics.get("loss", math.inf) < self.metrics.get("loss", math.inf)
        return value < best if metric_named(self.metric).lower_is_better else value > best

    @property
    def exhausted(self) -> bool:
        """Whether patience is at its end."""
        return self.patience is not None and self.misses >= self.patience
