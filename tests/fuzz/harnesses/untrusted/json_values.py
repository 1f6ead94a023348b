"""JSON that nobody vouches for."""

from __future__ import annotations

import json
from pathlib import Path

from fuzz.harness import Files, Harness, WrongAnswerError
from fuzz.mutations.values import json_text
from transduce.errors import ModelError
from transduce.untrusted.json import parse_json

_VALUES = [
    {"a": [1, 2.5, "é", None, True, {"b": {}}], "c": "\U0001f600", "d": -(2**63)},
    [{"numbers": list(range(30))}, {"text": "x" * 300}],
    {"vocab": {f"piece{n}": n for n in range(60)}, "merges": ["a b", "ab c"]},
]


def feed(files: Files, folder: Path) -> object:
    """Parse; what comes is plain, finite and can be written."""
    text = files["a.json"].decode("utf-8", "replace")
    try:
        value = parse_json(text)
    except ValueError as error:
        raise ModelError(str(error)) from None
    written = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    if parse_json(written.decode()) != value:
        raise WrongAnswerError("what is read must be written and read as the same")
    return type(value).__name__, len(written) > 1000


HARNESS = Harness(
    "json",
    lambda: [{"a.json": json.dumps(value).encode()} for value in _VALUES],
    {"*": json_text},
    feed,
    quick=1000,
)
