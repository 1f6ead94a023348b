"""Several processes learn from one corpus in files, which the first of them encodes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from small_runs import curve
from transduce.training.record.log import read_log

SCRIPT = Path(__file__).with_name("corpus_run.py")


@pytest.mark.learning
@pytest.mark.skipif(sys.platform == "win32", reason="there are no forks")
def test_a_corpus_in_files_is_encoded_once_and_gives_the_curve_of_one(
    tmp_path: Path, child_environment: dict[str, str]
) -> None:
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path)],
        env={**child_environment, "TRANSDUCE_NATIVE": "0"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "encoded").read_text().splitlines() == ["1 0", "2 0", "4 0"]
    assert len(curve(tmp_path / "1", "step")) >= 2
    for world in (2, 4):
        several = tmp_path / str(world)
        start = read_log(several / "training" / "log.jsonl")[0]
        assert start["processes"] == world
        for event in ("step", "dev"):
            assert curve(several, event) == pytest.approx(curve(tmp_path / "1", event), rel=1e-3)
