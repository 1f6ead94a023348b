"""Training by a chosen recipe, from its directory to the scores on test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

from transduce.automatic.ending import answers, next_commands
from transduce.config import Config
from transduce.errors import CheckpointError
from transduce.files import write_text
from transduce.reading.pair_files import Example
from transduce.reading.parts import part_tags, parts_of
from transduce.reading.problems import Problems
from transduce.workflow.corpora.corpora import examples_from_files, held_out_test, open_corpora
from transduce.workflow.evaluate import Evaluation, evaluate
from transduce.workflow.trained import TrainedModel

__all__ = ["RECIPE", "ending", "free_folder", "keep_recipe", "tested"]

RECIPE = "recipe.yaml"  # in the run's directory
_RUNS = Path("runs")


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
    problems = Problems("skip")
    evaluation = evaluate(trained, examples, problems=problems)
    trained.report["test"] = evaluation.to_dict()
    trained.save_report(folder)
    return evaluation, what


def _examples(config: Config) -> tuple[list[Example], str]:
    part, problems = parts_of(config)[""], Problems("skip")
    tags = part_tags(parts_of(config))
    if part.data.test is not None:
        return examples_from_files(part.data.test, part.data, problems, tags), "test"
    if part.data.test_fraction:
        return held_out_test(part, problems, tags), "test, which training never saw"
    return open_corpora(config).dev, "dev, which the model was chosen by, as there is no test"


def ending(trained: TrainedModel, folder: Path, say: Callable[[str], None]) -> None:
    """Test the model and say how it did, and what to type next."""
    evaluation, what = tested(trained, folder)
    say(f"scores on {what}:")
    say(evaluation.table().rstrip())
    say(answers(trained.config, evaluation).rstrip())
    say("what to type next:")
    for command in next_commands(trained.config, folder, evaluation.examples[0]):
        say(f"  {command}")
