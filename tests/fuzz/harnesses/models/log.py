"""The log of a run."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import matplotlib.figure  # noqa: F401 (what it writes at its first import is no fault)

from fuzz.harness import Files, Harness, WrongAnswerError, lay
from fuzz.mutations.values import json_lines
from transduce.training.record.log import RunLog, read_log
from transduce.training.record.plot import plot_run

_ENTRIES = [
    {"event": "start", "step": 0, "config": {"seed": 1}},
    {"event": "step", "step": 1, "loss": 2.5},
    {"event": "dev", "step": 1, "loss": 2.25, "exact_match": 0.0},
    {"event": "dev", "step": 2, "loss": 2.0, "exact_match": 50.0},
    {"event": "end", "step": 2},
]


def feed(files: Files, folder: Path) -> object:
    """Read, forget what a kill has lost, read again."""
    lay(files, folder)
    log = RunLog(folder / "log.jsonl")
    entries = read_log(log.path)
    log.forget_after(1, {1})
    kept = read_log(log.path)
    if len(kept) > len(entries) or any(entry["step"] > 1 for entry in kept):
        raise WrongAnswerError("what comes after the step must be gone")
    if zlib.crc32(files["log.jsonl"]) % 256 == 0:  # a picture takes half a second
        plot_run(log.path, folder / "plot.png", "exact_match")
    return min(len(entries), 6), min(len(kept), 4)


HARNESS = Harness(
    "log",
    lambda: [{"log.jsonl": "".join(json.dumps(e) + "\n" for e in _ENTRIES).encode()}],
    {"*": json_lines},
    feed,
    quick=50,
)
