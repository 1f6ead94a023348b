"""Outputs as JSON, in the words of ``transduce predict --format jsonl``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from transduce.workflow.predicting.output import Output

__all__ = ["answer_record"]

_WHERE_THERE = (
    "words", "language", "error", "confidence", "word_confidence", "withheld", "alternatives",
    "alignments",
)  # fmt: skip


def answer_record(outputs: Sequence[Output]) -> dict[str, Any]:
    """``text`` is that of the best of ``hypotheses``; ``error`` says why there are none."""
    first = outputs[0]
    record: dict[str, Any] = {"text": first.text}
    if first.withheld:
        record["withheld"] = True
    if first.error:
        return {**record, "hypotheses": [], "error": first.error}
    return {**record, "hypotheses": [_plain(output) for output in outputs]}


def _plain(output: Output) -> dict[str, Any]:
    values = asdict(output)
    del values["numbers"]  # of no use without the vocabulary
    return {k: v for k, v in values.items() if k not in _WHERE_THERE or _is_there(v)}


def _is_there(value: object) -> bool:
    return value is not None and value is not False and value not in ("", ())
