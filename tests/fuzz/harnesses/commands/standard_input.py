"""``predict`` over standard input: every line is answered, whatever bytes it is of."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from functools import cache
from pathlib import Path

from fuzz.feeding.models import saved_model
from fuzz.harness import Files, Harness, WrongAnswerError, lay
from fuzz.mutations.text import text
from fuzz.mutations.values import json_lines
from transduce.commands.predicting.predict import predict
from transduce.commands.predicting.request import Request
from transduce.errors import DataError

_LINES = "the cat\n\na dog ⟪PL⟫\r\nécole \u2028 x\n  \nbread, and cheese"
_MOST = 400  # lines: a model writes a thousand a second


@cache
def _home() -> Path:
    """The directories of two models that stay for the life of the process."""
    home = tempfile.TemporaryDirectory(prefix="fuzz-models-")
    _KEPT.append(home)
    for kind in ("gru", "copy"):
        lay(saved_model(kind), Path(home.name) / kind)
    return Path(home.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def feed(files: Files, folder: Path) -> object:
    """Predict; as many lines come out as went in."""
    name, data = next(iter(files.items()))
    data = b"\n".join(data.split(b"\n")[:_MOST])
    as_json = name.endswith("jsonl")
    overrides = ["data.format=jsonl"] if as_json else []
    request = Request(
        _home() / ("copy" if len(data) % 4 == 0 else "gru"),
        form="jsonl" if len(data) % 2 else "text",
        overrides=(*overrides, "search.max_length=5", "search.max_source_length=200"),
    )
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict", newline="")
    sys.stdin = io.TextIOWrapper(io.BytesIO(data))
    failure: DataError | None = None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            predict(request)
    except DataError as error:
        failure = error
    out.flush()
    said = out.buffer.getvalue()  # type: ignore[attr-defined]
    rows = data.split(b"\n" if b"\n" in data else b"\r")
    expected = len(rows) - (not rows[-1].strip(b"\r"))  # a last "\n\r" is one end of a line
    if data[:2] not in (b"\xff\xfe", b"\xfe\xff") and said.count(b"\n") != expected:
        raise WrongAnswerError(f"{expected} lines in, {said.count(10)} out; {failure}")
    if request.form == "jsonl":
        for line in said.decode().split("\n")[:-1]:
            json.loads(line)
    if failure is not None:
        raise failure
    return min(expected, 5)


HARNESSES = [
    Harness("stdin", lambda: [{"in.txt": _LINES.encode()}], {"*": text}, feed, quick=10),
    Harness(
        "stdin-json-lines",
        lambda: [{"in.jsonl": b'{"source": "the cat"}\n{"source": "\\u00e9"}\n'}],
        {"*": json_lines},
        feed,
        quick=10,
    ),
]
