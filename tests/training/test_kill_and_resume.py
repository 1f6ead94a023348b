"""``kill -9`` and resume gives the weights of the run that nobody killed, bit by bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from training_fakes import weights_of

from transduce.training.record.checkpoint import newest_checkpoint
from transduce.training.record.log import read_log

SCRIPT = Path(__file__).with_name("killed_runs.py")
INJECTION = Path(__file__).parent.parent / "kills" / "injection.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")
def test_killed_and_resumed_is_bit_identical(
    tmp_path: Path, child_environment: dict[str, str]
) -> None:
    paths = child_environment["PYTHONPATH"]
    ended = subprocess.run(
        [sys.executable, str(INJECTION), str(SCRIPT), str(tmp_path)],
        env={**child_environment, "PYTHONPATH": f"{paths}{os.pathsep}{INJECTION.parent}"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) >= 10  # it was killed, again and again
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert weights_of(killed) == weights_of(whole)
    for name in ("weights", "optimizer", "average", "random"):
        files = [
            newest_checkpoint(folder / "training").path / f"{name}.safetensors"
            for folder in (whole, killed)
        ]
        assert files[0].read_bytes() == files[1].read_bytes(), name
    scorings = [
        [e for e in read_log(folder / "training" / "log.jsonl") if e["event"] == "dev"]
        for folder in (whole, killed)
    ]
    assert scorings[0] == scorings[1]
    assert not [*killed.glob(".*"), *(killed / "training").glob(".*")]
