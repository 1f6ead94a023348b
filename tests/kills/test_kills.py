"""A few of the points of ``make kills``, where a compiler makes the shim and where none does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import transduce

SWEEP = Path(__file__).with_name("sweep.py")
SAVES = ["save, new", "save, over another", "save, over an old layout"]
EXPORTS = ["export, new", "export, over another"]
KILL, TORN, FULL = ["--way", "kill"], ["--way", "torn"], ["--way", "full"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")
@pytest.mark.parametrize(
    ("scenarios", "options"),
    [
        ([*SAVES, *EXPORTS], ["--points", "3", *KILL, *TORN, *FULL]),
        (["train"], ["--points", "2", *KILL, *FULL]),
        (["prune"], ["--points", "1", *KILL]),
        (
            ["save, over another", "export, over another"],
            ["--points", "2", "--hook", *KILL],
        ),
    ],
    ids=["shim", "training", "pruning", "hook"],
)
def test_what_a_kill_or_a_full_disk_leaves(scenarios: list[str], options: list[str]) -> None:
    asked = [option for name in scenarios for option in ("--scenario", name)]
    source = str(Path(transduce.__file__).parent.parent)
    ended = subprocess.run(
        [sys.executable, str(SWEEP), *asked, *options],
        env={**os.environ, "PYTHONPATH": source, "TRANSDUCE_NATIVE": "0"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert lines[0] in ("seen by the shim", "seen by Python's hook")
    assert lines[-1].endswith(", 0 faults")
    assert all(any(line.startswith(f"{name}: ") for line in lines) for name in scenarios)
