from __future__ import annotations

import builtins
import sys
from pathlib import Path
from typing import Any

import pytest

from transduce.errors import CheckpointError, ConfigError
from transduce.training.record.log import RunLog, read_log, tensorboard_writer
from transduce.training.record.plot import plot_run


class Scalars:
    def __init__(self) -> None:
        self.seen: list[tuple[str, float, int]] = []

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        self.seen.append((tag, scalar_value, global_step))

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def filled(path: Path) -> RunLog:
    log = RunLog(path)
    log.write("start", 0, {})
    log.write("step", 10, {"loss": 3.0, "learning_rate": 0.1})
    log.write("dev", 10, {"loss": 2.5, "bleu": 1.0})
    log.write("step", 20, {"loss": 2.0, "learning_rate": 0.2})
    log.write("end", 20, {"stopped": "max_steps"})
    return log


def test_lines_come_back(tmp_path: Path) -> None:
    filled(tmp_path / "log.jsonl")
    entries = read_log(tmp_path / "log.jsonl")
    assert [entry["event"] for entry in entries] == ["start", "step", "dev", "step", "end"]
    assert entries[2] == {"event": "dev", "step": 10, "loss": 2.5, "bleu": 1.0}


def test_numbers_that_json_lacks_are_null(tmp_path: Path) -> None:
    RunLog(tmp_path / "log.jsonl").write("step", 1, {"loss": float("nan")})
    assert read_log(tmp_path / "log.jsonl") == [{"event": "step", "step": 1, "loss": None}]


def test_a_cut_last_line_is_left_out(tmp_path: Path) -> None:
    filled(tmp_path / "log.jsonl")
    with (tmp_path / "log.jsonl").open("ab") as file:
        file.write('{"event": "step", "name": "ü'.encode()[:-1])
    assert len(read_log(tmp_path / "log.jsonl")) == 5


def test_what_is_no_entry_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    lines = [
        *('{"event": "dev", "step": "1"}', '{"event": "dev", "step": 1.5}', '{"event": "dev"}'),
        *('{"event": [], "step": 1}', '{"event": "dev", "step": true}', "[]", "[" * 100_000, "3"),
        *('{"event": "\\ud800", "step": 1}', '{"event": "dev", "step": 1, "step": 2}', "{", ""),
        *('{"event": "dev", "step": 1%s}' % ("0" * 400), '{"event": "dev", "step": 2}'),
    ]  # fmt: skip
    path.write_bytes("\n".join(lines).encode() + b"\n\xff\n")
    assert read_log(path) == [{"event": "dev", "step": 2}]
    RunLog(path).forget_after(2)
    assert read_log(path) == [{"event": "dev", "step": 2}]


def test_a_log_that_is_no_file_is_named(tmp_path: Path) -> None:
    assert read_log(tmp_path / "log.jsonl") == []
    with pytest.raises(CheckpointError, match=r"the log cannot be read \(Is a directory\)"):
        read_log(tmp_path)


def test_odd_numbers_are_not_drawn(tmp_path: Path) -> None:
    log = filled(tmp_path / "log.jsonl")
    for value in ("1", [1.0], {}, True, 1e300, 10**40):
        log.write("step", 30, {"loss": value, "learning_rate": value})
    assert plot_run(tmp_path / "log.jsonl", tmp_path / "plot.png")


def test_lost_future_and_ends_are_forgotten(tmp_path: Path) -> None:
    log = filled(tmp_path / "log.jsonl")
    log.forget_after(10)
    assert [entry["event"] for entry in read_log(log.path)] == ["start", "step", "dev"]
    log = filled(tmp_path / "other.jsonl")
    log.forget_after(20)
    assert [entry["event"] for entry in read_log(log.path)] == ["start", "step", "dev", "step"]


def test_a_scoring_that_no_checkpoint_knows_is_forgotten(tmp_path: Path) -> None:
    """A kill between a scoring and its checkpoint: it is made once more."""
    log = filled(tmp_path / "log.jsonl")
    log.forget_after(20, scored=[10])
    assert [entry["event"] for entry in read_log(log.path)] == ["start", "step", "dev", "step"]
    log.forget_after(20, scored=[])
    assert [entry["event"] for entry in read_log(log.path)] == ["start", "step", "step"]


def test_scalars_that_cannot_be_written_are_a_clear_error(tmp_path: Path) -> None:
    class Full(Scalars):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

        close = flush

    log = RunLog(tmp_path / "log.jsonl", Full())
    with pytest.raises(CheckpointError, match="scalars cannot be written"):
        log.close()
    with pytest.raises(CheckpointError, match="scalars cannot be written"):
        log.write("step", 1, {"loss": 1.0})
    log.close()  # what cannot be written is not tried again


def test_unwritable_log_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"log\.jsonl: the log cannot be written"):
        RunLog(tmp_path / "missing" / "log.jsonl").write("start", 0, {})


def test_scalars_receive_numbers_of_steps_and_scorings(tmp_path: Path) -> None:
    scalars = Scalars()
    log = RunLog(tmp_path / "log.jsonl", scalars)
    log.write("start", 0, {"seed": 1})
    log.write("step", 10, {"loss": 3.0, "word": "no"})
    log.write("dev", 10, {"loss": 2.5})
    assert scalars.seen == [("train/loss", 3.0, 10), ("dev/loss", 2.5, 10)]


def test_tensorboard_missing_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_import = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "torch.utils.tensorboard":
            raise ImportError(name)
        return real_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigError, match=r"pip install 'transduce\[tensorboard\]'"):
        tensorboard_writer(tmp_path, 0)


@pytest.mark.parametrize("metric", ["loss", "bleu"])
def test_plot_is_a_png(tmp_path: Path, metric: str) -> None:
    filled(tmp_path / "log.jsonl")
    assert plot_run(tmp_path / "log.jsonl", tmp_path / "plot.png", metric)
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert "matplotlib.pyplot" not in sys.modules or metric == "bleu"


def test_nothing_to_plot(tmp_path: Path) -> None:
    RunLog(tmp_path / "log.jsonl").write("start", 0, {})
    assert not plot_run(tmp_path / "log.jsonl", tmp_path / "plot.png")
    assert not (tmp_path / "plot.png").exists()
