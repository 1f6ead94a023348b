"""``transduce train``: a recipe, or data alone, to a model directory."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from transduce.automatic.planning import plan_files, require_minutes
from transduce.automatic.runs import RECIPE, ending, free_folder, keep_recipe
from transduce.commands.arguments import recipe_or_data, say
from transduce.config import Config, load_config, parse_override
from transduce.errors import ConfigError
from transduce.pretrained.hub import fetching
from transduce.pretrained.published_model import read_learnt_from
from transduce.reference import is_recipe
from transduce.training.distributed import launched_processes
from transduce.training.record.progress import choose_progress, shown_number
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting.fit import fit
from transduce.workflow.trained import TrainedModel

__all__ = ["train"]

_MINUTES = 10.0  # where data is given and nobody says


class _Asked(NamedTuple):
    """What to train and where; ``chosen``: the recipe was, for data alone."""

    config: Config
    folder: Path
    chosen: bool


def train(
    arguments: Sequence[str],
    output: Path | None,
    minutes: float | None,
    *,
    resume: bool,
    download: bool = False,
) -> bool:
    """Train and say where the model is; false where somebody stopped it."""
    asked = _asked(arguments, output, minutes, resume=resume)
    config, folder = asked.config, asked.folder
    with fetching(download):
        learnt_from = read_learnt_from(config)
    trained = fit(
        config,
        open_corpora(config),
        folder,
        learnt_from=learnt_from,
        resume=resume,
        progress=choose_progress(),
        say=say,
    )
    if launched_processes()[0] == 0:
        _say_end(trained, asked)
    return _is_finished(trained)


def _asked(
    arguments: Sequence[str], output: Path | None, minutes: float | None, *, resume: bool
) -> _Asked:
    """The recipe that is named, or one that is chosen."""
    inputs, overrides = recipe_or_data(arguments)
    if not inputs:
        raise ConfigError("train must be given a recipe, or files with pairs; got neither")
    if minutes is not None:
        require_minutes(minutes)
    if resume and output is None:
        raise ConfigError("--output must name the run that --resume continues; got none")
    if not any(map(is_recipe, inputs)):
        return _chosen(inputs, overrides, output, minutes, resume=resume)
    if len(inputs) > 1:
        for given in inputs:
            if not is_recipe(given) and not os.path.exists(given):
                parse_override(given)  # which says what an option looks like
        raise ConfigError(f"RECIPE must stand alone; got {len(inputs)} files")
    if minutes is not None:
        overrides = [f"training.max_minutes={minutes!r}", *overrides]
    config = load_config(inputs[0], overrides)
    return _Asked(config, free_folder(config.name) if output is None else output, chosen=False)


def _chosen(
    paths: Sequence[str],
    overrides: Sequence[str],
    output: Path | None,
    minutes: float | None,
    *,
    resume: bool,
) -> _Asked:
    """Look at the data, choose, keep the recipe and say what was chosen."""
    if output is not None and resume and (output / RECIPE).is_file():
        return _Asked(load_config(output / RECIPE, overrides), output, chosen=True)
    given = dict(parse_override(text) for text in overrides)
    plan = plan_files(paths, given, _MINUTES if minutes is None else minutes)
    folder = free_folder(plan.config.name) if output is None else output
    for line in plan.lines:
        say(line)
    again = f"transduce train {shlex.quote(str(folder / RECIPE))}"
    if not (folder / "training").exists() and launched_processes()[0] == 0:
        keep_recipe(folder, plan.recipe(again))
        say(f"recipe: {folder / RECIPE}, chosen in {plan.seconds:.1f} s")
    return _Asked(plan.config, folder, chosen=True)


def _is_finished(trained: TrainedModel) -> bool:
    return bool(trained.report["training"]["stopped"] != "interrupted")


def _say_end(trained: TrainedModel, asked: _Asked) -> None:
    """Where the model is, how good, and what to type next; of a chosen recipe it is tested."""
    config, folder, record = asked.config, asked.folder, trained.report["training"]
    print(f"{record['stopped']} after {record['minutes']:.1f} minutes, {record['steps']:,} steps")
    print(_best(record, config.training.metric))
    print(f"model: {folder}")
    if not _is_finished(trained):
        print(f"go on: {_again(folder)}")
    elif asked.chosen:
        ending(trained, folder, print)
    else:
        model = shlex.quote(str(folder))
        tested = config.data.test is not None or config.data.test_fraction or config.data.parts
        print("what you can type next:")
        print(f"  transduce evaluate {model}{'' if tested else ' DATA'}")
        print(f"  transduce predict {model} INPUT")
        print(f"  transduce show {model}")


def _best(record: Mapping[str, Any], metric: str) -> str:
    """The score on dev that the model was chosen by."""
    if record["best_step"] is None:
        return "no scoring on dev yet: the model is that of the last step"
    value = shown_number(record["best"][metric])
    return f"best on dev: {metric} {value} at step {record['best_step']:,}"


def _again(folder: Path) -> str:
    """What goes on with a run that was stopped: the command as it was typed, and its directory."""
    typed = [argument for argument in sys.argv[1:] if argument != "--resume"]
    named = any(text == "-o" or text.startswith(("-o", "--output")) for text in typed)
    output = [] if named else ["--output", str(folder)]
    return shlex.join(["transduce", *typed, *output, "--resume"])
