"""Two files, line by line."""

from __future__ import annotations

from fuzz.feeding.pairs import OPTIONS, change_options, feed_pairs, options
from fuzz.harness import Harness
from fuzz.mutations.text import text

HARNESS = Harness(
    "parallel",
    lambda: [
        {"a.de": b"ein\nzwei\ndrei\n", "a.en": b"one\ntwo\nthree\n"},
        {
            "a.de": b"ein\r\nzwei\r\n",
            "a.en": b"one\r\ntwo\r\n",
            OPTIONS: options(format="lines", on_error="skip"),
        },
    ],
    {OPTIONS: change_options, "*": text},
    feed_pairs,
    quick=500,
)
