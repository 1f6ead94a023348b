"""Where a run is, and what is left to tell of it at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from transduce.training.schedule import LimitName

__all__ = ["Position", "StopReason", "TrainingRecord"]

StopReason = LimitName | Literal["patience", "interrupted"]


@dataclass(slots=True)
class Position:
    """All plain numbers that a resume needs; written to a checkpoint's ``state.json``."""

    step: int = 0  # steps done
    epoch: int = 0  # epochs read to their end
    batch: int = 0  # batches read of the epoch under way
    minutes: float = 0.0  # used: steps, dev scorings and checkpoints
    seconds_in_steps: float = 0.0
    target_tokens: int = 0  # real ones, END counted
    interval: int = 0  # see Limits.interval, at the last dev scoring
    scored_step: int | None = None  # of the last dev scoring
    scored_minutes: float = 0.0  # when the last dev scoring was over
    scoring_minutes: float = 0.0  # what the last dev scoring and its checkpoint took
    history: list[dict[str, float]] = field(default_factory=list)  # step and metrics, each scoring


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """What a run was: plain numbers and words, fit for JSON."""

    steps: int
    epochs: float
    minutes: float  # steps, dev scorings and checkpoints; of a resumed run all together
    stopped: StopReason
    best: dict[str, float]  # metrics of the best dev scoring; empty if there was none
    best_step: int | None
    history: list[dict[str, float]]
    target_tokens: int
    tokens_per_second: float  # real target tokens, over the time spent in steps
    precision: str
    device: str
    threads: int
    processes: int
