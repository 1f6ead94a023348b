"""JSON lines."""

from __future__ import annotations

import json

from fuzz.feeding.pairs import OPTIONS, change_options, feed_pairs, options
from fuzz.harness import Harness
from fuzz.mutations.values import json_lines


def _lines(*records: object) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


HARNESS = Harness(
    "json-lines",
    lambda: [
        {
            "a.jsonl": _lines(
                {"source": "a", "target": "b"}, {"source": "é\u2028", "target": "\ud83d\ude00"}
            )
        },
        {
            "a.jsonl": _lines({"translation": {"en": "a", "de": "b"}}, {"en": "c", "de": "d"}),
            OPTIONS: options(source="translation.en", target="translation.de", on_error="skip"),
        },
        {
            "a.jsonl": _lines({"source": "a", "tags": ["V", "PST"], "target": "b"}),
            OPTIONS: options(source=["source", {"tags": "tags"}]),
        },
    ],
    {OPTIONS: change_options, "*": json_lines},
    feed_pairs,
    quick=500,
)
