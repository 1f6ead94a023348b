"""What a checkpoint says, held against the run that is to go on from it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from transduce.errors import ModelError
from transduce.training.record.position import Position
from transduce.training.selection import Selection
from transduce.untrusted.tensors import require_finite

__all__ = ["fitting", "fitting_count", "restore_progress"]

_MOST = 1 << 62


def restore_progress(state: Mapping[str, Any], selection: Selection) -> Position:
    """The position of a state; ``selection`` is told what was best. Raises ValueError."""
    given, best = dict(_section(state, "position")), _section(state, "selection")
    if "part" in given:  # as checkpoints had it
        given["interval"] = given.pop("part")
    unknown = given.keys() ^ {field.name for field in dataclasses.fields(Position)}
    if unknown:
        raise ValueError(f"position must hold what a run has; got another {sorted(unknown)[0]}")
    history = given["history"]
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        raise ValueError("history must be a list of scorings")
    position = Position(
        step=_count(given, "step"),
        epoch=_count(given, "epoch"),
        batch=_count(given, "batch"),
        minutes=_time(given, "minutes"),
        seconds_in_steps=_time(given, "seconds_in_steps"),
        target_tokens=_count(given, "target_tokens"),
        interval=_count(given, "interval"),
        scored_step=None if given["scored_step"] is None else _count(given, "scored_step"),
        scored_minutes=_time(given, "scored_minutes"),
        scoring_minutes=_time(given, "scoring_minutes"),
        history=[_metrics(entry) for entry in history],
    )
    selection.metrics = _metrics(_section(best, "metrics"))
    selection.step = None if best.get("step") is None else _count(best, "step")
    selection.misses = _count(best, "misses")
    if selection.step is not None and selection.metric not in selection.metrics:
        raise ValueError(f"selection must have the metric {selection.metric}")
    return position


def fitting(tensors: Mapping[str, Tensor], name: str, like: Tensor) -> Tensor:
    """A tensor of finite numbers, of the shape and type of another. Raises ModelError."""
    found = tensors.get(name)
    if found is None:
        raise ModelError(f"checkpoint must hold {name}; it does not")
    if found.shape != like.shape or found.dtype != like.dtype:
        kinds = [f"{str(t.dtype).removeprefix('torch.')} {list(t.shape)}" for t in (like, found)]
        raise ModelError(f"{name} must be {kinds[0]}; got {kinds[1]}")
    require_finite(name, found)
    return found


def fitting_count(tensors: Mapping[str, Tensor], name: str) -> int:
    """A tensor that is one whole number of at least 0. Raises ModelError."""
    count = int(fitting(tensors, name, torch.tensor(0)))
    if not 0 <= count <= _MOST:
        raise ModelError(f"{name} must be at least 0; got {count}")
    return count


def _section(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = values.get(name)
    if not isinstance(found, dict):
        raise ValueError(f"{name} must be a section")
    return found


def _count(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ValueError(f"{name} must be a whole number of at least 0")
    return value


def _time(values: Mapping[str, Any], name: str) -> float:
    value = values.get(name)
    if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} must be a number of at least 0")
    return float(value)


def _metrics(values: Mapping[str, Any]) -> dict[str, float]:
    """Scores, which may be none or infinite."""
    if any(type(value) not in (int, float) for value in values.values()):
        raise ValueError("scores must be numbers")
    return dict(values)
