"""Training by a chosen recipe, from its directory to the scores on test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from transduce.automatic.ending import answers, next_commands
from transduce.automatic.planning import plan_pairs, require_minutes
from transduce.config import Config
from transduce.errors import CheckpointError, ConfigError
from transduce.files import write_text
from transduce.pretrained.published_model import read_learnt_from
from transduce.reading.pair_files import Example
from transduce.reading.parts import part_tags, parts_of
from transduce.reading.problems import Problems
from transduce.training.record.progress import Progress
from transduce.workflow.corpora.corpora import open_corpora, test_set_of
from transduce.workflow.corpora.in_memory import (
    DevPairs,
    GivenSource,
    corpora_of,
    dev_lists,
    require_as_many,
    texts,
    with_parts,
)
from transduce.workflow.evaluate import Evaluation, evaluate
from transduce.workflow.fitting.fit import fit
from transduce.workflow.trained import TrainedModel

__all__ = ["RECIPE", "ending", "fit_pairs", "free_folder", "keep_recipe", "tested"]

RECIPE = "recipe.yaml"  # in the run's directory
_RUNS = Path("runs")
_MINUTES = 10.0  # where nobody says

# Of Transducer, each with the option that it is.
_ARGUMENTS = {
    "source": "tokenizer.source.kind",
    "target": "tokenizer.target.kind",
    "shared": "tokenizer.shared",
    "max_steps": "training.max_steps",
    "max_epochs": "training.max_epochs",
    "dev_fraction": "data.dev_fraction",
    "metric": "training.metric",
    "seed": "training.seed",
    "beam": "search.beam",
}


def free_folder(name: str) -> Path:
    """``runs/NAME``, or the next number behind it that nothing stands at."""
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(_RUNS / name for name in names if not os.path.lexists(_RUNS / name))


def keep_recipe(folder: Path, text: str) -> None:
    """Write the recipe into the run. Raises CheckpointError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / RECIPE, text)
    except OSError as error:
        raise CheckpointError(
            f"--output must be a writable directory; got {folder} ({error.strerror})"
        ) from None


def tested(trained: TrainedModel, folder: Path) -> tuple[Evaluation, str]:
    """Scores on test, which the model's report keeps, and what they are scores of."""
    examples, what = _examples(trained.config)
    return _scored(trained, examples, folder), what


def _scored(trained: TrainedModel, examples: list[Example], folder: Path) -> Evaluation:
    """Scores on examples, which the model's report keeps."""
    evaluation = evaluate(trained, examples, problems=Problems("skip"))
    trained.report["test"] = evaluation.to_dict()
    trained.save_report(folder)
    return evaluation


def _examples(config: Config) -> tuple[list[Example], str]:
    part, problems = parts_of(config)[""], Problems("skip")
    tags = part_tags(parts_of(config))
    if (examples := test_set_of(part, problems, tags)) is not None:
        return examples, "test" if part.data.test is not None else "test, which training never saw"
    return open_corpora(config).dev, "dev, which the model was chosen by, because there is no test"


def fit_pairs(
    sources: Iterable[GivenSource],
    targets: Iterable[str],
    part: object,
    dev: DevPairs | None,
    arguments: Mapping[str, Any],
    output: Path,
    progress: Progress,
) -> tuple[TrainedModel, str]:
    """Choose a recipe for pairs in memory, train, and test on what was held out; the recipe too.

    ``arguments`` are those of Transducer that a person set. Raises TransduceError.
    """
    dev = None if dev is None else dev_lists(dev)
    if part is not None or (dev is not None and len(dev) == 3):
        raise ConfigError("part must not be given where the model is auto; got the names of parts")
    listed, wanted = texts(sources, "sources", paths=True), texts(targets, "targets")
    require_as_many(wanted, "targets", listed)
    dev_sources = None
    if dev is not None:
        dev = (texts(dev[0], "sources of dev", paths=True), texts(dev[1], "targets of dev"))
        dev_sources = len(set(dev[0]))
    said = {_ARGUMENTS[name]: value for name, value in arguments.items() if name in _ARGUMENTS}
    minutes = require_minutes(arguments.get("max_minutes", _MINUTES), "max_minutes")
    given = {**said, **(arguments.get("options") or {})}
    plan = plan_pairs(listed, wanted, given, minutes, dev_sources=dev_sources)
    for line in plan.lines:
        progress.say(line)
    config = with_parts(plan.config, None)
    if plan.trains_on_all and dev is None:
        dev = (listed, wanted)
    corpora = corpora_of(config, listed, wanted, None, dev, config.data.dev_fraction)
    known, say = read_learnt_from(config), progress.say
    trained = fit(config, corpora, output, learnt_from=known, progress=progress, say=say)
    if corpora.test and trained.report["training"]["stopped"] != "interrupted":
        _scored(trained, corpora.test, output)
    keep_recipe(output, recipe := plan.recipe())
    return trained, recipe


def ending(trained: TrainedModel, folder: Path, say: Callable[[str], None]) -> None:
    """Test the model and say how it did, and what to type next."""
    evaluation, what = tested(trained, folder)
    say(f"scores on {what}:")
    say(evaluation.table().rstrip())
    say(answers(trained.config, evaluation).rstrip())
    say("what you can type next:")
    for command in next_commands(trained.config, folder, evaluation.examples[0]):
        say(f"  {command}")
