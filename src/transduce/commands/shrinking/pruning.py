"""``transduce shrink --prune``: a trained model of fewer units, and its training for minutes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from transduce.automatic.planning import require_minutes
from transduce.commands.arguments import require_new_folder, say
from transduce.config import Config
from transduce.config.model import ModelConfig
from transduce.errors import ConfigError, DataError
from transduce.pretrained.published_model import load_trained, read_learnt_from
from transduce.reading.pair_files import Example
from transduce.training.record.progress import choose_progress
from transduce.workflow.corpora.corpora import open_corpora, read_dev
from transduce.workflow.corpora.train_sample import train_sample
from transduce.workflow.pruning.asked_shares import read_asked
from transduce.workflow.pruning.going_on import (
    begun_with,
    kept_for_resume,
    require_no_run,
    train_on,
    training_recipe,
)
from transduce.workflow.pruning.prune import prune
from transduce.workflow.trained import TrainedModel

__all__ = ["Scores", "pruned_model", "shares_of"]

Scores = Literal["taylor", "gates"]

_STACKS = "feedforward=0.5 heads=0.25"  # of Transformers, where nobody says
_FEEDFORWARD = "feedforward=0.5"  # of an encoder without attention before a recurrent decoder
_RECURRENT = "hidden=0.25"


def shares_of(trained: TrainedModel) -> list[str]:
    """What goes of a model where nobody says."""
    encoder, decoder = trained.config.model.encoder.kind, trained.config.model.decoder.kind
    if encoder == "transformer" or decoder in ("transformer", "ssru", "mingru"):
        return [_STACKS]
    if encoder in ("mingru", "mamba"):
        return [_FEEDFORWARD]
    return [_RECURRENT]


def pruned_model(
    model: Path,
    output: Path,
    shares: Sequence[str],
    overrides: Mapping[str, Any],
    *,
    scores: Scores,
    minutes: float | None,
    resume: bool,
) -> tuple[TrainedModel, bool]:
    """The pruned model, and whether it is whole: false where somebody stopped its training.

    It is saved in ``output`` where it was trained on for ``minutes``. Raises TransduceError.
    """
    asked = read_asked(shares)
    if scores == "gates" and all(each.part == "layers" for each in asked):
        raise ConfigError(
            "--scores must be given with heads, feedforward or hidden in --prune; got layers alone"
        )
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
        pruned = prune(trained, asked, dev, gates_on=_train(config, scores))
        _say_changes(trained, pruned)
        return pruned, True
    require_minutes(minutes)
    if not resume:
        require_no_run(output)
        require_new_folder(output)
    trained = load_trained(model, "cpu")
    recipe = training_recipe(trained.config, model, minutes, overrides)
    with _naming_data():
        corpora = open_corpora(recipe)
    options = [each.option for each in asked]
    if resume:
        pruned = begun_with(output, options, scores)
    else:
        gates_on = _train(recipe, scores)
        pruned = prune(trained, asked, corpora.dev_by_part(), gates_on=gates_on)
        kept_for_resume(pruned, output, options, scores)
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


def _train(config: Config, scores: Scores) -> dict[str, list[Example]] | None:
    """Of train what gates are learnt on; None where there are none."""
    if scores == "taylor":
        say("choosing what goes, by what dev misses least")
        return None
    say("choosing what goes, by gates learnt on train")
    with _naming_data():
        return train_sample(config)


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
