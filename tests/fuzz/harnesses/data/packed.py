"""Text files packed by gzip and zstandard."""

from __future__ import annotations

import gzip

import zstandard

from fuzz.feeding.pairs import OPTIONS, change_options, feed_pairs
from fuzz.harness import Harness
from fuzz.mutations.packed import in_gzip, in_zstandard
from fuzz.mutations.text import text

_LINES = "".join(f"source {n}\ttarget {n * n}\n" for n in range(40)).encode()

HARNESSES = [
    Harness(
        "gzip",
        lambda: [{"a.tsv.gz": gzip.compress(_LINES, mtime=0)}],
        {OPTIONS: change_options, "*": in_gzip(text)},
        feed_pairs,
        quick=120,
    ),
    Harness(
        "zstandard",
        lambda: [{"a.tsv.zst": zstandard.ZstdCompressor(write_checksum=False).compress(_LINES)}],
        {OPTIONS: change_options, "*": in_zstandard(text)},
        feed_pairs,
        quick=120,
    ),
]
