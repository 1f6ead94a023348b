"""CSV, by RFC 4180."""

from __future__ import annotations

from fuzz.feeding.pairs import OPTIONS, change_options, feed_pairs, options
from fuzz.harness import Harness
from fuzz.mutations.text import text

_PLAIN = b'walk,walked\n"go, now","went, then"\nsee,"saw ""it"""\n"two\nlines",one\n'

HARNESS = Harness(
    "csv",
    lambda: [
        {"a.csv": _PLAIN},
        {"a.csv": _PLAIN.replace(b"\n", b"\r\n"), OPTIONS: options(on_error="skip")},
        {
            "a.csv": b"source,tags,target\n" + b'a,"V;PST",b\n' * 3,
            OPTIONS: options(
                header=True, source=["source", {"tags": "tags", "separator": ";"}], target="target"
            ),
        },
    ],
    {OPTIONS: change_options, "*": text},
    feed_pairs,
    quick=500,
)
