"""``transduce evaluate``: a model's scores on pairs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transduce.checks.trained_on import PairSketch
from transduce.commands.arguments import (
    require_file_place,
    split_overrides,
    test_examples,
    test_parts,
    updated,
    write_json,
)
from transduce.drawing.risk import draw_risk
from transduce.errors import BusyError, ConfigError
from transduce.files import changing
from transduce.pretrained.foreign.foreign_model import AdaptedModel
from transduce.pretrained.published_model import load_model
from transduce.reading.pair_files import Example
from transduce.reading.parts import find_part
from transduce.reading.problems import Problems
from transduce.workflow.confidence.confidence_scores import confident_details, measure_confidence
from transduce.workflow.contact_sheet import draw_sheet, require_pictures
from transduce.workflow.evaluate import Evaluation
from transduce.workflow.evaluate import evaluate as score
from transduce.workflow.mixture_scores import MixtureEvaluation, evaluate_parts
from transduce.workflow.noise.noise_scores import measure_noise
from transduce.workflow.noise.noisy_sources import Noise
from transduce.workflow.predicting.details import PLAIN
from transduce.workflow.trained import TrainedModel, read_report

__all__ = ["evaluate"]

_NOTICED = 0.01  # share of the pairs


def evaluate(
    model: Path,
    arguments: Sequence[str],
    output: Path | None,
    worst: int,
    part: str | None = None,
    sheet: Path | None = None,
    *,
    confidence: bool = False,
    plot: Path | None = None,
    noise: Sequence[str] = (),
    adapter: Path | None = None,
) -> None:
    """Print the scores; write all figures to ``output`` as JSON.

    Those on the recipe's own test set, with its own options, are kept in the model's report. A
    model of a mixture is measured on each part that has a test set, or on ``part`` alone.
    ``sheet`` is for the best and worst outputs of a model that reads pictures, under these.
    ``confidence`` measures how good that is, ``plot`` draws the risk at each coverage; ``noise``
    are kinds of noise in sources (``typing=0.1``) that it is measured with as well. With an
    ``adapter`` the scores are not the model's own, and its report stays.
    """
    require_file_place(output, "--json")
    require_file_place(sheet, "--sheet")
    require_file_place(plot, "--plot")
    noises = [Noise.parse(text) for text in noise]
    inputs, overrides = split_overrides(arguments)
    files = [Path(text) for text in inputs]
    trained = load_model(model, adapter)
    trained.config = updated(trained.config, overrides)
    problems = Problems(trained.config.data.on_error)
    if sheet is not None:
        if isinstance(trained, AdaptedModel):
            raise ConfigError("--sheet must be used with Transduce's models; got transformers'")
        require_pictures(trained)
    confidence = confidence or plot is not None
    details = confident_details(trained) if confidence else PLAIN
    evaluation: Evaluation | MixtureEvaluation
    if trained.config.data.parts is not None and part is None and not files:
        if sheet is not None:
            raise ConfigError("--sheet must be used with --part for a model of several parts")
        parts = test_parts(trained.config, problems)
        evaluation = evaluate_parts(trained, parts, worst=worst, problems=problems, details=details)
    else:
        examples = test_examples(trained.config, list(files) or None, problems, part)
        _tell_trained_on(trained, examples, part)
        evaluation = score(
            trained, examples, worst=worst, part=part, problems=problems, details=details
        )
        if sheet is not None:
            draw_sheet(trained, evaluation, sheet)
    print(evaluation.table())
    print(f"{evaluation.sentences_per_second:,.0f} sentences a second")
    if isinstance(evaluation, Evaluation) and evaluation.recorded:
        print(f"{evaluation.times_real_time:,.0f} times as fast as real time")
    if problems.total:
        print(f"not tested: {problems.summary()}")
    values = evaluation.to_dict()
    values["sentences_per_second"] = evaluation.sentences_per_second
    values["problems"] = problems.report()
    if noises:
        values["noise"] = _noise(trained, evaluation, noises, part)
    if confidence:
        values["confidence"] = _confidence(trained, evaluation, part or "", plot)
    if not files and not overrides and part is None and adapter is None:
        _keep(trained, model, _without_cases(values))
    if output is not None:
        asked = {"part": part, "adapter": None if adapter is None else str(adapter)}
        given = {name: value for name, value in asked.items() if value}
        values = {"model": str(model), **given, **values}
        write_json(output, values, "--json")


def _confidence(
    trained: TrainedModel,
    evaluation: Evaluation | MixtureEvaluation,
    part: str,
    plot: Path | None,
) -> dict[str, Any]:
    """Print how good the confidence is, and draw it; all its figures."""
    evaluations = [(part, evaluation)] if isinstance(evaluation, Evaluation) else None
    if isinstance(evaluation, MixtureEvaluation):
        evaluations = list(evaluation.parts.items())
    found = measure_confidence(trained, evaluations or [])
    print()
    print(found.table())
    if plot is not None:
        draw_risk(found, plot, trained.config.name)
    return found.to_dict()


def _noise(
    trained: TrainedModel | AdaptedModel,
    evaluation: Evaluation | MixtureEvaluation,
    noises: Sequence[Noise],
    part: str | None,
) -> dict[str, Any]:
    """Print the scores with each noise beside those without; all figures."""
    if isinstance(trained, AdaptedModel):
        raise ConfigError("--noise must be used with Transduce's models; got transformers'")
    if isinstance(evaluation, MixtureEvaluation):
        raise ConfigError("--noise must be used with --part for a model of several parts")
    found = measure_noise(trained, evaluation, noises, part=part)
    print()
    print(found.table())
    return found.to_dict()


def _tell_trained_on(
    trained: TrainedModel | AdaptedModel, examples: Sequence[Example], part: str | None
) -> None:
    """Scores on what a model has learnt say nothing of what it does with other data."""
    data = trained.report.get("data")
    sketch = PairSketch.from_dict(data.get("trained_on") if isinstance(data, Mapping) else None)
    if sketch is None:
        return
    of = find_part(trained.config, part)
    pairs = [(of.source(e.source), of.target(text)) for e in examples for text in e.references]
    if (share := sketch.share(pairs)) >= _NOTICED:
        print(
            f"warning: about {100 * share:.0f} % of these {len(pairs):,} pairs were trained on: "
            "the scores are no test",
            file=sys.stderr,
        )


def _without_cases(values: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in values.items() if name != "worst"}
    if "parts" in kept:
        kept["parts"] = {name: _without_cases(part) for name, part in kept["parts"].items()}
    return kept


def _keep(trained: TrainedModel, folder: Path, scores: dict[str, Any]) -> None:
    """Beside the training record, for ``transduce show``; a model may be read-only."""
    try:
        with changing(folder) as change:
            trained.report = {**read_report(folder), "test": scores}
            trained.write_report(change)
    except OSError as error:
        print(f"scores not kept in {folder}: {error.strerror}", file=sys.stderr)
    except BusyError:
        print(f"scores not kept in {folder}: another process writes there", file=sys.stderr)
