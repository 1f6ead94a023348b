"""``transduce compare``: several models on one test set."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from transduce.commands.arguments import require_file_place, test_examples
from transduce.config import Config, parse_override
from transduce.data.corpus import Example
from transduce.data.problems import Problems
from transduce.errors import ConfigError, DataError
from transduce.evaluation.compare import Comparison, System, compare_systems
from transduce.evaluation.pictures import draw_quality_against_speed
from transduce.files import write_text
from transduce.pipeline.scoring import evaluate, metric_names, normalizer
from transduce.pipeline.trained import TrainedModel

__all__ = ["compare"]


def compare(
    models: Sequence[Path], data: str | None, output: Path | None, plot: Path | None
) -> None:
    """Print scores with intervals, significance against the first, size and speed.

    The first model's recipe says how the data is read and what is measured.
    """
    if len(models) < 2:
        raise ConfigError(f"MODEL must be given at least twice; got {len(models)}")
    require_file_place(output, "--json")
    require_file_place(plot, "--plot")
    configs = [TrainedModel.read_config(path) for path in models]
    first = configs[0] if data is None else _with_test_data(configs[0], data)
    problems = Problems(first.data.on_error)
    examples = test_examples(first, [], problems)
    normal = normalizer(configs)
    comparison = compare_systems(
        [_system(path, examples, normal) for path in models],
        [[normal(text) for text in example.references] for example in examples],
        metric_names(first),
        config=first.evaluation,
        symbols=first.target_kind == "whitespace",
    )
    print(comparison.table())
    if problems.total:
        print(f"not tested: {problems.summary()}")
    _write(comparison, output, plot)


def _with_test_data(config: Config, data: str) -> Config:
    """A file, or what else ``data.test`` may be, as YAML: ``{source: FILE, target: FILE}``."""
    value = data if os.path.exists(data) else parse_override(f"--data={data}")[1]
    return config.updated({"data.test": value})


def _system(path: Path, examples: Sequence[Example], normal: Callable[[str], str]) -> System:
    trained = TrainedModel.load(path)
    evaluation = evaluate(trained, examples)
    texts = [normal(output.text) for output in evaluation.outputs]
    words = sum(len(text.split()) for text in texts)
    return System(
        str(path),
        texts,
        parameters=sum(trained.parameters_by_part().values()),
        words_per_second=words / max(evaluation.report.seconds, 1e-9),
        sentences_per_second=evaluation.sentences_per_second,
    )


def _write(comparison: Comparison, output: Path | None, plot: Path | None) -> None:
    if output is not None:
        text = json.dumps(comparison.to_dict(), indent=2, ensure_ascii=False)
        try:
            write_text(output, text + "\n")
        except OSError as error:
            raise DataError(f"--json must be writable; got {error.strerror}", file=output) from None
    if plot is not None:
        draw_quality_against_speed(comparison, plot)
