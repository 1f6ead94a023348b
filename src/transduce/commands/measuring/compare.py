"""``transduce compare``: several models on one test set."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transduce.commands.arguments import require_file_place, test_examples, test_parts, write_json
from transduce.config import Config, Files, parse_override
from transduce.drawing.speed import draw_quality_against_speed
from transduce.errors import ConfigError
from transduce.evaluation.compare import Comparison, System, compare_systems, render_parts
from transduce.pretrained.published_model import load_trained
from transduce.reading.pair_files import Example
from transduce.reading.parts import find_part
from transduce.reading.problems import Problems
from transduce.workflow.evaluate import evaluate, metric_names, normalizer
from transduce.workflow.trained import TrainedModel

__all__ = ["compare", "test_files"]


def compare(
    models: Sequence[Path],
    data: str | None,
    output: Path | None,
    plot: Path | None,
    part: str | None = None,
) -> None:
    """Print scores with intervals, significance against the first, size and speed.

    The first model's recipe says how the data is read and what is measured. Models of mixtures
    are compared on ``part``, or on each part that the first one has a test set for; a model of a
    single data set can take part in the former.
    """
    if len(models) < 2:
        raise ConfigError(f"MODEL must be given at least twice; got {len(models)}")
    require_file_place(output, "--json")
    require_file_place(plot, "--plot")
    configs = [TrainedModel.read_config(path) for path in models]
    problems = Problems(configs[0].data.on_error)
    if configs[0].data.parts is not None and part is None:
        if data is not None or plot is not None:
            raise ConfigError("--part must be given with --data and --plot for models of a mixture")
        if any(config.data.parts is None for config in configs):
            raise ConfigError("--part must be given to compare with a model of a single data set")
        tests = test_parts(configs[0], problems)
        by_part = {name: _compared(models, configs, own, name) for name, own in tests.items()}
        print(render_parts(by_part))
        values: dict[str, Any] = {"parts": {name: c.to_dict() for name, c in by_part.items()}}
    else:
        asked = part if configs[0].data.parts is not None else None
        examples = test_examples(configs[0], test_files(data), problems, asked)
        comparison = _compared(models, configs, examples, part)
        print(comparison.table())
        values = comparison.to_dict()
        if plot is not None:
            draw_quality_against_speed(comparison, plot)
    if problems.total:
        print(f"not tested: {problems.summary()}")
    if output is not None:
        write_json(output, values, "--json")


def _compared(
    models: Sequence[Path],
    configs: Sequence[Config],
    examples: Sequence[Example],
    part: str | None,
) -> Comparison:
    first = configs[0].for_part(part or "")
    normal = normalizer([config.for_part(part or "") for config in configs])
    if part is not None and all(config.data.parts is None for config in configs):
        find_part(first, part)  # says that there is no mixture
    return compare_systems(
        [
            _system(path, examples, normal, None if config.data.parts is None else part)
            for path, config in zip(models, configs, strict=True)
        ],
        [[normal(text) for text in example.references] for example in examples],
        metric_names(first),
        bleu_tokenizer=first.evaluation.bleu_tokenizer,
        symbols=first.targets == "symbols",
    )


def test_files(data: str | None) -> Files | None:
    """A file, or what else ``data.test`` may be, as YAML: ``{source: FILE, target: FILE}``."""
    if data is None:
        return None
    value = data if os.path.exists(data) else parse_override(f"--data={data}")[1]
    return Config().updated({"data.test": value}).data.test


def _system(
    path: Path, examples: Sequence[Example], normal: Callable[[str], str], part: str | None
) -> System:
    trained = load_trained(path)
    evaluation = evaluate(trained, examples, part=part)
    texts = [normal(output.text) for output in evaluation.outputs]
    words = sum(len(text.split()) for text in texts)
    return System(
        str(path),
        texts,
        parameters=sum(trained.parameters_by_module().values()),
        words_per_second=words / max(evaluation.report.seconds, 1e-9),
        sentences_per_second=evaluation.sentences_per_second,
    )
