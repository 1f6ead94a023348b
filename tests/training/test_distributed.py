"""Several processes over gloo learn what one process learns from the same batches."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_fakes import weights_of

from small_runs import curve
from transduce.errors import ConfigError
from transduce.training.distributed import Processes, join_processes, launched_processes
from transduce.training.record.log import read_log

SCRIPT = Path(__file__).with_name("distributed_run.py")


def test_two_and_four_processes_have_the_loss_curve_of_one(
    tmp_path: Path, child_environment: dict[str, str]
) -> None:
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path)],
        env=child_environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    one, two = tmp_path / "one", tmp_path / "two"
    assert len(curve(one, "step")) == 10
    for several, count in ((two, 2), (tmp_path / "four", 4)):
        assert curve(several, "step") == pytest.approx(curve(one, "step"), rel=1e-4)
        assert curve(several, "dev") == pytest.approx(curve(one, "dev"), rel=1e-4)
        weights = load_file(several / "model.safetensors")
        for name, tensor in load_file(one / "model.safetensors").items():
            torch.testing.assert_close(weights[name], tensor, rtol=1e-2, atol=1e-3)
        assert read_log(several / "training" / "log.jsonl")[0]["processes"] == count
    random = load_file(two / "training" / "checkpoint-00000010" / "random.safetensors")
    assert random.keys() == {"cpu.0", "cpu.1"}
    assert weights_of(tmp_path / "resumed") == weights_of(two)


def test_alone_every_exchange_is_the_identity() -> None:
    with join_processes(torch.device("cpu")) as processes:
        assert processes == Processes(0, 1, torch.device("cpu"))
        assert processes.main
        assert processes.sum([1.0, 2.5]) == [1.0, 2.5]
        assert processes.from_main([3.0]) == [3.0]
        state = torch.get_rng_state()
        assert processes.gather(state) == [state]


@pytest.mark.parametrize(("rank", "world"), [("2", "2"), ("-1", "2"), ("x", "2"), ("0", "0")])
def test_senseless_environment(monkeypatch: pytest.MonkeyPatch, rank: str, world: str) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", world)
    with pytest.raises(ConfigError, match="must be numbers set by torchrun"):
        launched_processes()
