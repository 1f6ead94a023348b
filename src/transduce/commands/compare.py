"""``transduce compare``: several models on one test set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from transduce.commands.arguments import test_examples
from transduce.errors import ConfigError, DataError
from transduce.evaluation.compare import System, compare_systems
from transduce.evaluation.pictures import draw_quality_against_speed
from transduce.files import write_text
from transduce.pipeline.scoring import evaluate, metric_names
from transduce.pipeline.trained import TrainedModel

__all__ = ["compare"]


def compare(
    models: Sequence[Path], data: Path | None, output: Path | None, plot: Path | None
) -> None:
    """Print scores with intervals, significance against the first, size and speed."""
    if len(models) < 2:
        raise ConfigError(f"MODEL must be given at least twice; got {len(models)}")
    first = TrainedModel.read_config(models[0])
    examples = test_examples(first, [data] if data else [])
    systems = []
    for path in models:
        trained = TrainedModel.load(path)
        evaluation = evaluate(trained, examples)
        words = sum(len(output.text.split()) for output in evaluation.outputs)
        systems.append(
            System(
                str(path),
                [output.text for output in evaluation.outputs],
                parameters=sum(trained.parameters_by_part().values()),
                words_per_second=words / max(evaluation.report.seconds, 1e-9),
                sentences_per_second=evaluation.sentences_per_second,
            )
        )
    comparison = compare_systems(
        systems,
        [example.references for example in examples],
        metric_names(first),
        config=first.evaluation,
        symbols=first.target_kind == "whitespace",
    )
    print(comparison.table())
    try:
        if output is not None:
            text = json.dumps(comparison.to_dict(), indent=2, ensure_ascii=False)
            write_text(output, text + "\n")
        if plot is not None:
            draw_quality_against_speed(comparison, plot)
    except OSError as error:
        raise DataError(
            f"output must be writable; got {error.strerror}", file=error.filename
        ) from None
