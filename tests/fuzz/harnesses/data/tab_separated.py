"""TSV: tabs, no quotes."""

from __future__ import annotations

from fuzz.feeding.pairs import OPTIONS, change_options, feed_pairs, options
from fuzz.harness import Harness
from fuzz.mutations.text import text

_PLAIN = "walk\twalked\ngo\twent\nsee\tsaw\n"
_TAGS = "walk\tV;PST\twalked\r\ngo\tV;PST\twent\r\n"
_NAMED = "lemma\ttags\tform\nwalk\tV\twalked\ngo\tV\twent\n"

HARNESS = Harness(
    "tsv",
    lambda: [
        {"a.tsv": _PLAIN.encode()},
        {"a.tsv": b"\xef\xbb\xbf" + _PLAIN.encode(), OPTIONS: options(on_error="skip")},
        {"a.txt": _PLAIN.encode(), OPTIONS: options(max_length_ratio=3)},
        {
            "a.tsv": _TAGS.encode(),
            OPTIONS: options(source=[0, {"tags": 1, "separator": ";"}], target=2),
        },
        {
            "a.tsv": _NAMED.encode(),
            OPTIONS: options(header=True, source=["lemma", {"tags": "tags"}], target="form"),
        },
    ],
    {OPTIONS: change_options, "*": text},
    feed_pairs,
    quick=600,
)
