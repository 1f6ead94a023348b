"""``transduce evaluate``: a model's scores on pairs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from transduce.commands.arguments import split_overrides, test_examples
from transduce.config import parse_override
from transduce.errors import DataError
from transduce.files import write_text
from transduce.pipeline.scoring import evaluate as score
from transduce.pipeline.trained import TrainedModel

__all__ = ["evaluate"]


def evaluate(model: Path, arguments: Sequence[str], output: Path | None, worst: int) -> None:
    """Print the scores; write all figures to ``output`` as JSON."""
    files, overrides = split_overrides(arguments)
    trained = TrainedModel.load(model)
    trained.config = trained.config.updated(dict(parse_override(text) for text in overrides))
    evaluation = score(trained, test_examples(trained.config, files), worst=worst)
    print(evaluation.report.table())
    print(f"{evaluation.sentences_per_second:,.0f} sentences a second")
    if output is not None:
        values = {"model": str(model), **evaluation.report.to_dict()}
        values["sentences_per_second"] = evaluation.sentences_per_second
        try:
            write_text(output, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise DataError(f"--json must be writable; got {error.strerror}", file=output) from None
