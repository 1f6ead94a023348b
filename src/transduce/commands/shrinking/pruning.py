"""``transduce shrink --prune``: a trained model of fewer units, and its training for minutes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transduce.automatic.planning import require_minutes
from transduce.commands.arguments import require_new_folder, say
from transduce.config.model import ModelConfig
from transduce.errors import ConfigError, DataError
from transduce.pretrained.published_model import load_trained, read_learnt_from
from transduce.training.record.progress import choose_progress
from transduce.workflow.corpora.corpora import open_corpora, read_dev
from transduce.workflow.pruning.asked_shares import read_asked
from transduce.workflow.pruning.going_on import (
    begun_with,
    kept_for_resume,
    train_on,
    training_recipe,
)
from transduce.workflow.pruning.prune import prune
from transduce.workflow.trained import TrainedModel

__all__ = ["pruned_model", "shares_of"]

_STACKS = "feedforward=0.5 heads=0.25"  # of Transformers, where nobody says
_RECURRENT = "hidden=0.25"


def shares_of(trained: TrainedModel) -> list[str]:
    """What goes of a model where nobody says."""
    kinds = {trained.config.model.encoder.kind, trained.config.model.decoder.kind}
    return [_STACKS if kinds & {"transformer", "ssru"} else _RECURRENT]


def pruned_model(
    model: Path,
    output: Path,
    shares: Sequence[str],
    overrides: Mapping[str, Any],
    *,
    minutes: float | None,
    resume: bool,
) -> tuple[TrainedModel, bool]:
    """The pruned model, and whether it is whole: false where somebody stopped its training.

    It is saved in ``output`` where it was trained on for ``minutes``. Raises TransduceError.
    """
    asked = read_asked(shares)
    if minutes is None:
        if resume:
            raise ConfigError("--resume must be given with --minutes; got no minutes to train")
        if any(key.startswith("training.") for key in overrides):
            raise ConfigError("options of training must be given with --minutes; got no minutes")
        require_new_folder(output)
        trained = load_trained(model, "cpu")
        config = trained.config.updated(overrides) if overrides else trained.config
        with _naming_data():
            dev = read_dev(config)
        pruned = prune(trained, asked, dev)
        _say_changes(trained, pruned)
        return pruned, True
    require_minutes(minutes)
    if not resume:
        require_new_folder(output)
    trained = load_trained(model, "cpu")
    recipe = training_recipe(trained.config, model, minutes, overrides)
    with _naming_data():
        corpora = open_corpora(recipe)
    options = [each.option for each in asked]
    if resume:
        pruned = begun_with(output, options)
    else:
        pruned = prune(trained, asked, corpora.dev_by_part())
        kept_for_resume(pruned, output, options)
    _say_changes(trained, pruned)
    teachers = read_learnt_from(recipe.model_copy(update={"model": ModelConfig()})).teachers
    learnt = train_on(
        pruned,
        recipe,
        corpora,
        output,
        teachers=teachers,
        resume=resume,
        progress=choose_progress(),
        say=say,
    )
    return learnt, learnt.report["training"]["stopped"] != "interrupted"


@contextmanager
def _naming_data() -> Iterator[None]:
    """Errors of data say how to name it, as what a model was trained on may have moved."""
    try:
        yield
    except (ConfigError, DataError) as error:
        raise DataError(f"{error} (data.train=FILE data.dev=FILE name what has moved)") from None


def _say_changes(before: TrainedModel, after: TrainedModel) -> None:
    for side in ("encoder", "decoder"):
        old, new = (getattr(trained.config.model, side) for trained in (before, after))
        for name in type(new).model_fields:
            if getattr(old, name) != getattr(new, name):
                say(f"{side}.{name}: {_shown(getattr(old, name))} to {_shown(getattr(new, name))}")
    counts = [sum(trained.parameters_by_module().values()) for trained in (before, after)]
    say(f"weights: {counts[0]:,} to {counts[1]:,}")


def _shown(value: object) -> str:
    return str([*value]) if isinstance(value, tuple) else str(value)
