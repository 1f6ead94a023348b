"""``transduce show``: what is in a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transduce.data.tokenizer import Tokenizer
from transduce.evaluation.tables import number, render_table
from transduce.pipeline.trained import WEIGHTS, TrainedModel

__all__ = ["show"]


def show(model: Path) -> str:
    """Parameters by part, sizes, vocabulary, training record and scores, as text."""
    trained = TrainedModel.load(model)
    parts = [_parameters(trained, model), _vocabulary(trained)]
    if "training" in trained.report:
        parts.append(_training(trained.report["training"]))
    for name in ("dev", "test"):
        if name in trained.report:
            parts.append(_scores(name, trained.report[name]["metrics"]))
    return "\n".join(parts)


def _parameters(trained: TrainedModel, folder: Path) -> str:
    counts = trained.parameters_by_part()
    rows = [[name, f"{count:,}", _megabytes(4 * count)] for name, count in counts.items()]
    total = sum(counts.values())
    rows.append(["total", f"{total:,}", _megabytes(4 * total)])
    rows.append([WEIGHTS, "", _megabytes((folder / WEIGHTS).stat().st_size)])
    encoder, decoder = trained.config.model.encoder, trained.config.model.decoder
    title = f"{trained.config.name}: {encoder.kind} encoder, {decoder.kind} decoder"
    return render_table(title, ["part", "parameters", "MB in float32"], rows)


def _vocabulary(trained: TrainedModel) -> str:
    rows = [
        _tokenizer_row("source", trained.source_tokenizer),
        _tokenizer_row("target", trained.target_tokenizer),
    ]
    return render_table("vocabulary", ["side", "kind", "symbols", "first of them"], rows)


def _tokenizer_row(side: str, tokenizer: Tokenizer) -> list[str]:
    first = tokenizer.symbols(range(4, min(tokenizer.size, 16)))
    return [side, tokenizer.kind, f"{tokenizer.size:,}", " ".join(first)]


def _training(record: dict[str, Any]) -> str:
    plain = {k: v for k, v in record.items() if isinstance(v, int | float | str)}
    rows = [[name, number(v) if isinstance(v, float) else str(v)] for name, v in plain.items()]
    return render_table("training", ["", "value"], rows)


def _scores(name: str, metrics: dict[str, float]) -> str:
    return render_table(name, ["metric", "score"], [[k, number(v)] for k, v in metrics.items()])


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.2f}"
