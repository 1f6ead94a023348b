"""``transduce calibrate``: how sure a model is, fitted on pairs that it has not learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from transduce.checks.leakage import LeakageCounter
from transduce.commands.arguments import split_overrides, test_examples, updated
from transduce.errors import ConfigError
from transduce.files import changing
from transduce.pretrained.published_model import load_trained
from transduce.reading.pair_files import Example
from transduce.reading.problems import Problems
from transduce.workflow.confidence.confidence_fitting import LEAST_EXAMPLES, fit_confidence_on
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.trained import TrainedModel

__all__ = ["calibrate"]


def calibrate(model: Path, arguments: Sequence[str], part: str | None) -> None:
    """Fit and keep it in the model directory; on the recipe's dev data where no files are named."""
    inputs, overrides = split_overrides(arguments)
    trained = load_trained(model)
    trained.config = updated(trained.config, overrides)
    examples = _examples(trained, inputs, part)
    most = max(len(own) for own in examples.values())
    if "evaluation.confidence" in {text.partition("=")[0] for text in overrides}:
        most = trained.config.evaluation.confidence
    confidence = fit_confidence_on(trained, examples, most)
    with changing(model) as change:
        trained.confidence = confidence
        trained.write_confidence(change)
    right = confidence.kind == "right"
    about = "the probability that an output is right" if right else "the chrF of an output, 0 to 1"
    print(f"fitted on {confidence.examples:,} answers, beam {confidence.beam}: {about}")
    print(f"transduce predict {model} --confidence")


def _examples(
    trained: TrainedModel, files: Sequence[str], part: str | None
) -> Mapping[str, Sequence[Example]]:
    config = trained.config
    problems = Problems(config.data.on_error)
    if files:
        return {part or "": test_examples(config, [*map(Path, files)], problems, part)}
    if part is not None:
        raise ConfigError(f"--part must be named with DATA; got {part} alone")
    corpora = open_corpora(config)
    leaks = LeakageCounter(corpora.dev_pairs())
    for stream in corpora.train_by_part().values():
        leaks.add(stream())
    return corpora.unlearnt_dev(leaks.sources, LEAST_EXAMPLES)
