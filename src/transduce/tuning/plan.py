"""What a tuning is of: recipe, options, minutes of a trial; kept, so that it can go on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from transduce.errors import CheckpointError, ConfigError, ModelError
from transduce.files import locked, write_text
from transduce.kernels.running.threads import usable_processors
from transduce.reference import find_recipe, is_recipe
from transduce.tuning.space.search_space import SearchSpace, choose_space
from transduce.tuning.trials.trial_minutes import Shares, share_minutes
from transduce.tuning.untuned import Untuned, read_untuned
from transduce.untrusted.json import read_object
from transduce.workflow.fitting.run_folder import explained
from transduce.workflow.predicting.source_limits import available_memory
from transduce.workflow.trained import choose_device

__all__ = ["PLAN", "TuningPlan", "TuningRequest", "keep_plan", "read_plan", "taken_tuning"]

PLAN = "tuning.json"  # in the tuning's folder
_PLACE = "--output must be a new directory, or that of the same tuning"
_JOB_BYTES = 1 << 30  # memory that a trial is given room for
_ODD = (KeyError, TypeError, ValueError, AttributeError)  # what a file of another kind gives


@dataclass(frozen=True)
class TuningRequest:
    """What a person gave. Minutes and jobs may be others when a tuning goes on."""

    inputs: tuple[str, ...]
    options: Mapping[str, Any]
    tried: tuple[str, ...]
    minutes: float
    jobs: int | None

    @property
    def paths(self) -> tuple[str, ...]:
        """The files; of a recipe that comes with the package its own."""
        return tuple(str(find_recipe(given) or given) for given in self.inputs)

    @property
    def is_recipe(self) -> bool:
        """Whether it is a recipe, not data."""
        return any(map(is_recipe, self.paths))

    @property
    def name(self) -> str:
        """That of the first file."""
        name = Path(os.path.abspath(self.inputs[0])).name if self.inputs else ""
        return name.partition(".")[0] or "model"

    def to_dict(self) -> dict[str, Any]:
        """Plain values of what must stay the same."""
        values = {"data": self.inputs, "options": self.options, "--try": self.tried}
        plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
        return plain


@dataclass(frozen=True)
class TuningPlan:
    """What is tuned, and how."""

    untuned: Untuned
    space: SearchSpace
    shares: Shares
    jobs: int
    devices: tuple[str, ...]


@contextmanager
def taken_tuning(folder: Path) -> Iterator[None]:
    """Hold the folder of a tuning, new or begun.

    Raises BusyError where another tuning is at work there, ConfigError where it holds other
    things, CheckpointError where it cannot be written.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if not (folder / PLAN).exists() and any(folder.iterdir()):
            raise ConfigError(f"{_PLACE}; got {folder}, which holds other things")
        yield


def read_plan(folder: Path, asked: TuningRequest) -> TuningPlan:
    """That of a tuning begun before, or a new one. Raises ConfigError, DataError, ModelError."""
    known = _kept(folder)
    if known is None:
        return _new(asked)
    _require_same(folder, known, asked)
    try:
        untuned = Untuned.of_list(known["recipe"])
        trial = float(known["trial_minutes"])
    except _ODD:
        raise _changed(folder) from None
    if asked.is_recipe and (now := _new(asked).untuned).to_list() != untuned.to_list():
        raise ConfigError(f"{_PLACE}; got {folder}, where {_difference(untuned, now)}")
    jobs, devices = _places(asked.jobs, untuned.config.training.device)
    shares = share_minutes(asked.minutes, jobs)
    return TuningPlan(
        untuned,
        choose_space(untuned.recipe, untuned.config, asked.tried),
        Shares(trial, shares.ending),
        jobs,
        devices,
    )


def keep_plan(
    folder: Path, plan: TuningPlan, asked: TuningRequest, fingerprints: Sequence[str]
) -> None:
    """Write down what a new tuning is of; of an old one, see that its data are what they were.

    Raises DataError, CheckpointError.
    """
    known = _kept(folder)
    values = {
        **asked.to_dict(),
        "recipe": plan.untuned.to_list(),
        "space": plan.space.to_dict(),
        "trial_minutes": plan.shares.trial,
        "fingerprints": list(fingerprints),
    }
    if known is None:
        with explained(folder):
            write_text(folder / PLAN, json.dumps(values, indent=1, ensure_ascii=False, default=str))
        return
    if known.get("fingerprints") != values["fingerprints"]:
        raise ConfigError(
            f"data must be what they were when {folder} was begun; got other content: take a new "
            "--output"
        )
    if known.get("space") != json.loads(json.dumps(values["space"], default=str)):
        raise _changed(folder)


def _new(asked: TuningRequest) -> TuningPlan:
    if asked.is_recipe:
        untuned = read_untuned(asked.paths, asked.options, asked.minutes)
        jobs, devices = _places(asked.jobs, untuned.config.training.device)
        shares = share_minutes(asked.minutes, jobs, untuned.config.training.max_minutes)
    else:
        jobs, devices = _places(asked.jobs, str(asked.options.get("training.device", "auto")))
        longest = asked.options.get("training.max_minutes")
        shares = share_minutes(asked.minutes, jobs, longest if _is_number(longest) else None)
        untuned = read_untuned(asked.paths, asked.options, shares.trial)
    space = choose_space(untuned.recipe, untuned.config, asked.tried)
    return TuningPlan(untuned, space, shares, jobs, devices)


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _places(jobs: int | None, device: str) -> tuple[int, tuple[str, ...]]:
    """How many trials side by side, and the devices that they are on."""
    chosen = choose_device(device)
    if chosen.type == "cuda":
        count = torch.cuda.device_count()
        devices = tuple(f"cuda:{n}" for n in range(count)) if device == "auto" else (str(chosen),)
        return jobs or len(devices), devices
    if jobs is None:
        jobs = usable_processors()
        if (memory := available_memory()) is not None:
            jobs = max(1, min(jobs, memory // _JOB_BYTES))
    return jobs, (str(chosen),)


# ---------------------------------------------------------------- what was kept


def _kept(folder: Path) -> dict[str, Any] | None:
    if not (folder / PLAN).exists():
        return None
    try:
        return dict(read_object(folder / PLAN))
    except (ModelError, OSError, ValueError):
        raise _changed(folder) from None


def _changed(folder: Path) -> CheckpointError:
    return CheckpointError(
        f"{folder / PLAN}: must be as the tuning wrote it; got something else: take a new --output"
    )


def _require_same(folder: Path, known: Mapping[str, Any], asked: TuningRequest) -> None:
    for key, value in asked.to_dict().items():
        if (before := known.get(key)) != value:
            raise ConfigError(
                f"{_PLACE}; got {folder}, where {key} was {_words(before)}, now {_words(value)}"
            )


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={text}" for key, text in value.items()) or "none"
    return " ".join(map(str, value)) if isinstance(value, list) and value else "none"


def _difference(before: Untuned, now: Untuned) -> str:
    """The first line of a recipe that is another now."""
    old = {line.key: line.value for line in before.lines}
    new = {line.key: line.value for line in now.lines}
    key = next((key for key in {**old, **new} if old.get(key) != new.get(key)), "the recipe")
    return f"{key} was {old.get(key)}, now {new.get(key)}"
