"""``transduce predict``: text in, text out, one record for each record read."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from transduce.config import parse_override
from transduce.data.sources import read_sources
from transduce.errors import ConfigError, DataError
from transduce.pipeline.trained import Output, TrainedModel

__all__ = ["predict"]

_INTERACTIVE, _AHEAD = 1, 4096  # sources read before the first is written


def predict(
    model: Path, source: str, output: Path | None, form: str, overrides: Sequence[str]
) -> None:
    """Read sources, write outputs in their order; flush line by line at a terminal."""
    if form not in ("text", "jsonl"):
        raise ConfigError(f"--format must be text or jsonl; got {form!r}")
    trained = TrainedModel.load(model)
    config = trained.config.updated(dict(parse_override(text) for text in overrides))
    interactive = source == "-" and sys.stdin.isatty()
    sources = read_sources(sys.stdin.buffer if source == "-" else source, config.data)
    window = _INTERACTIVE if interactive else _AHEAD
    with _writer(output) as stream:
        for outputs in trained.predict(sources, config.search, window=window):
            stream.write(_as_json(outputs) if form == "jsonl" else _as_text(outputs))
            if interactive:
                stream.flush()


def _as_text(outputs: Sequence[Output]) -> str:
    """One line a source; with several hypotheses, tab-separated on that line, best first."""
    return "\t".join(output.text.replace("\n", " ") for output in outputs) + "\n"


def _as_json(outputs: Sequence[Output]) -> str:
    record = {"text": outputs[0].text, "hypotheses": [asdict(output) for output in outputs]}
    return json.dumps(record, ensure_ascii=False) + "\n"


@contextlib.contextmanager
def _writer(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        with output.open("w", encoding="utf-8") as stream:
            yield stream
    except OSError as error:
        raise DataError(f"--output must be writable; got {error.strerror}", file=output) from None
