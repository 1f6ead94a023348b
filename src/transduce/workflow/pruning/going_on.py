"""A pruned model trained on: a run like any other, which begins with the pruned model."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from transduce.config import Config, ModelConfig
from transduce.errors import CheckpointError, ConfigError
from transduce.files import finish, is_free, locked
from transduce.training.record.progress import Progress
from transduce.workflow.corpora.corpora import Corpora
from transduce.workflow.fitting.beginning import LearntFrom
from transduce.workflow.fitting.fit import fit
from transduce.workflow.model_folder import CONFIG
from transduce.workflow.trained import TrainedModel

__all__ = ["begun_with", "kept_for_resume", "require_no_run", "train_on", "training_recipe"]

PRUNED = Path("training") / "pruned"  # within the run: what it begins with
_REPORTED, _SCORED = "pruned", "pruned_by"  # what was asked for, in its report

_SLOWER = 0.3  # the learning rate is this times that of the recipe
_WARMUP = 100  # steps


def training_recipe(
    base: Config, path: Path, minutes: float, overrides: Mapping[str, Any]
) -> Config:
    """The recipe of ``base`` for a model that has learnt already.

    It has the learning rate of the recipe times 0.3, which falls to 0 within the minutes as the
    recipe has it, and no other limits; ``overrides`` may say otherwise. ``path`` is where ``base``
    is from. Raises ConfigError.
    """
    own = base.updated(overrides) if overrides else base
    training = own.training
    settings = {
        "max_minutes": minutes,
        "max_steps": None,
        "max_epochs": None,
        "learning_rate": _SLOWER * training.learning_rate,
        "warmup_steps": min(_WARMUP, training.warmup_steps),
        "patience": None,
        "evaluate_every": None,
        "checkpoint_every": None,
        "freeze": (),
        "lora_rank": None,
        "teacher": (),
        "teacher_weight": 0.5,
        "teacher_temperature": 1.0,
        "teacher_outputs": 16,
    }
    said = {key.removeprefix("training.") for key in overrides}
    changed = {name: value for name, value in settings.items() if name not in said}
    return Config(
        name=own.name,
        data=own.data,
        model=ModelConfig.model_validate({"from": path}),
        training=training.model_copy(update=changed),
        search=own.search,
        evaluation=own.evaluation,
        engine=own.engine,
    )


def kept_for_resume(pruned: TrainedModel, folder: Path, asked: Sequence[str], scores: str) -> None:
    """Write the pruned model where a resume finds it. Raises BusyError, OSError."""
    pruned.report = {**pruned.report, _REPORTED: [*asked], _SCORED: scores}
    pruned.save(folder / PRUNED)


def require_no_run(folder: Path) -> None:
    """Raise ConfigError, which says how to go on, where there is such a run.

    What a kill or a full disk left of one that had not yet begun is removed. Raises BusyError,
    OSError.
    """
    if _is_begun(folder):
        raise ConfigError(
            f"--output must be a new directory; got {folder}, which holds a run "
            "(continue it with --resume, or choose another)"
        )
    training, pruned = folder / PRUNED.parent, folder / PRUNED
    if not training.is_dir() or [*folder.iterdir()] != [training]:
        return
    held = [*training.iterdir()]
    if not held:  # as a full disk leaves it
        with suppress(OSError):  # where another run begins there now
            training.rmdir()
    elif held == [pruned] and pruned.is_dir():
        with locked(pruned):
            if is_free(pruned):
                shutil.rmtree(training)


def _is_begun(folder: Path) -> bool:
    """Whether there is such a run; what a killed writer of its model committed comes home."""
    if (folder / PRUNED).is_dir():
        with locked(folder / PRUNED) as alone:
            finish(folder / PRUNED, alone)
    return (folder / PRUNED / CONFIG).is_file()


def begun_with(folder: Path, asked: Sequence[str], scores: str) -> TrainedModel:
    """The pruned model that a run in ``folder`` began with.

    Raises CheckpointError where there is no such run, or it is over, ConfigError where it was
    begun with other shares than ``asked``, or other ``scores``.
    """
    if not _is_begun(folder):
        raise CheckpointError(f"--resume must have a run to go on with; got none in {folder}")
    if (folder / CONFIG).is_file() and TrainedModel.read_config(folder).weights != "float32":
        raise CheckpointError(f"--resume must have a run to go on with; that in {folder} is over")
    pruned = TrainedModel.load(folder / PRUNED, "cpu")
    before = pruned.report.get(_REPORTED)
    if before != [*asked]:
        said = " ".join(map(str, before)) if isinstance(before, list) else before
        raise ConfigError(f"--prune must be {said} to resume {folder}; got {' '.join(asked)}")
    if (by := pruned.report.get(_SCORED, "taylor")) != scores:
        raise ConfigError(f"--scores must be {by} to resume {folder}; got {scores}")
    return pruned


def train_on(
    pruned: TrainedModel,
    recipe: Config,
    corpora: Corpora,
    folder: Path,
    *,
    teachers: tuple[TrainedModel, ...] = (),
    resume: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> TrainedModel:
    """The run; the model directory is ``folder``. Raises TransduceError."""
    return fit(
        recipe,
        corpora,
        folder,
        learnt_from=LearntFrom(pruned, teachers),
        resume=resume,
        progress=progress,
        say=say,
    )
