from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from training_fakes import (
    ToyBatches,
    ToyModel,
    ToyScore,
    toy_config,
    toy_loss,
    weights_of,
)

import transduce.training.record.checkpoint as checkpoint_module
import transduce.training.run as run_module
from transduce.config import TrainingConfig
from transduce.errors import CheckpointError, ConfigError, TrainingError
from transduce.interfaces import Batch
from transduce.training.loop import train
from transduce.training.objectives.cross_entropy import CrossEntropy
from transduce.training.objectives.weighted import Weighted
from transduce.training.precision import choose_precision
from transduce.training.record.checkpoint import newest_checkpoint
from transduce.training.record.log import read_log
from transduce.training.record.position import TrainingRecord


def run(
    folder: Path,
    model: nn.Module | None = None,
    batches: Any = None,
    score: Any = None,
    *,
    resume: bool = False,
    fingerprint: str = "",
    **options: Any,
) -> TrainingRecord:
    config = toy_config(**options)
    return train(
        model or ToyModel(),
        [Weighted(1.0, CrossEntropy(config.label_smoothing))],
        batches or ToyBatches(),
        config,
        folder,
        score or ToyScore(),
        resume=resume,
        fingerprint=fingerprint,
    )


def losses(folder: Path) -> list[float]:
    entries = read_log(folder / "training" / "log.jsonl")
    return [entry["loss"] for entry in entries if entry["event"] == "step"]


# ---------------------------------------------------------------- what a run does and leaves


@pytest.mark.learning
@pytest.mark.usefixtures("drawn_runs")
def test_learns_and_leaves_everything_behind(tmp_path: Path) -> None:
    model, score = ToyModel(), ToyScore()
    before = toy_loss(model, score.batches)
    record = run(tmp_path, model, score=score, max_epochs=10)
    assert (record.steps, record.epochs, record.stopped) == (80, 10.0, "max_epochs")
    assert record.best["loss"] < 0.8 * before
    assert record.target_tokens == 10 * sum(len(target) + 1 for _, target in ToyBatches().pairs)
    assert len(record.history) == 10
    assert record.history[0].keys() == {"step", "loss", "exact_match"}
    assert (record.precision, record.device, record.processes) == ("float32", "cpu", 1)
    assert record.tokens_per_second > 0
    assert not any(score.was_training)
    assert model.training
    assert sorted(path.name for path in (tmp_path / "training").iterdir()) == [
        "checkpoint-00000072",
        "checkpoint-00000080",
        "log.jsonl",
        "plot.png",
    ]
    events = [entry["event"] for entry in read_log(tmp_path / "training" / "log.jsonl")]
    assert (events[0], events[-1], events.count("dev")) == ("start", "end", 10)


def test_model_file_holds_the_best_weights(tmp_path: Path) -> None:
    model, seen = ToyModel(), []

    def score(model: nn.Module) -> dict[str, float]:
        seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return {"bleu": [1.0, 9.0, 5.0][len(seen) - 1]}

    record = run(tmp_path, model, score=score, max_steps=6, evaluate_every=2, metric="bleu")
    assert (record.best, record.best_step) == ({"bleu": 9.0}, 4)
    for name, tensor in load_file(tmp_path / "model.safetensors").items():
        assert torch.equal(tensor, seen[1][name])


@pytest.mark.parametrize("average", ["ema", "last"])
def test_averaged_weights_are_scored_and_kept(tmp_path: Path, average: str) -> None:
    model, scored = ToyModel(), []

    def score(model: nn.Module) -> dict[str, float]:
        scored.append(model.output.bias.detach().clone())
        return {"loss": -float(len(scored))}

    run(tmp_path, model, score=score, max_steps=6, evaluate_every=2, average=average)
    kept = load_file(tmp_path / "model.safetensors")["output.bias"]
    assert torch.equal(kept, scored[-1])
    assert not torch.equal(kept, model.output.bias)
    if average == "last":
        live = [
            load_file(path / "weights.safetensors")["output.bias"]
            for path in sorted((tmp_path / "training").glob("checkpoint-*"))
        ]
        first = scored[0]  # one snapshot alone is its own mean
        torch.testing.assert_close(kept, (first + live[0] + live[1]) / 3)


def test_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path / name, ToyModel(dropout=0.3), max_steps=20, seed=seed)
    assert weights_of(tmp_path / "a") == weights_of(tmp_path / "b")
    assert weights_of(tmp_path / "a") != weights_of(tmp_path / "c")


def test_scoring_that_draws_numbers_does_not_change_training(tmp_path: Path) -> None:
    def score(model: nn.Module) -> dict[str, float]:
        return {"loss": float(torch.rand(3).sum()) * 0 - 1}

    models = [ToyModel(dropout=0.3), ToyModel(dropout=0.3)]
    for model, every in zip(models, (1, 10), strict=True):
        run(tmp_path / str(every), model, score=score, max_steps=10, evaluate_every=every)
    assert torch.equal(models[0].output.weight, models[1].output.weight)


def test_tensorboard_is_an_option(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run(tmp_path, max_steps=2, tensorboard=True)
    assert len(list((tmp_path / "training" / "tensorboard").glob("events.*"))) == 1


# ---------------------------------------------------------------- limits and early stopping


def test_steps_end_the_run_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    record = run(tmp_path, max_steps=11, max_epochs=99)
    assert (record.steps, record.epochs, record.stopped) == (11, 1.375, "max_steps")


def test_minutes_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that moves one second at each look, so that the test waits for nothing."""
    now = [0.0]

    def tick() -> float:
        now[0] += 1.0
        return now[0]

    monkeypatch.setattr("transduce.training.run.time.monotonic", tick)
    record = run(tmp_path, max_minutes=5.0)
    assert record.stopped == "max_minutes"
    assert 0.8 * 5.0 < record.minutes <= 5.0
    rates = [
        entry["learning_rate"]
        for entry in read_log(tmp_path / "training" / "log.jsonl")
        if entry["event"] == "step"
    ]
    assert rates[-1] < 0.02 * max(rates)


def test_patience_ends_the_run(tmp_path: Path) -> None:
    values = iter([3.0, 2.0, 2.5, 2.0, 9.0])
    record = run(
        tmp_path, score=lambda model: {"wer": next(values)}, metric="wer", patience=2,
        evaluate_every=3, max_steps=100,
    )  # fmt: skip
    assert (record.stopped, record.steps, record.best_step) == ("patience", 12, 6)


def test_training_that_never_ends_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be set"):
        run(tmp_path / "new")
    assert not (tmp_path / "new").exists()


# ---------------------------------------------------------------- the step


def one_step(folder: Path, batches: Any, **options: Any) -> dict[str, torch.Tensor]:
    model = ToyModel()
    run(folder, model, batches, max_steps=1, warmup_steps=0, **options)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_accumulation_is_one_large_batch(tmp_path: Path) -> None:
    large = one_step(tmp_path / "large", ToyBatches(size=20), clip_norm=0.1, label_smoothing=0.1)
    small = one_step(
        tmp_path / "small", ToyBatches(size=5), accumulate=4, clip_norm=0.1, label_smoothing=0.1
    )
    assert losses(tmp_path / "large") == pytest.approx(losses(tmp_path / "small"), rel=1e-6)
    first = {
        name: load_file(
            newest_checkpoint(tmp_path / name / "training").path / "optimizer.safetensors"
        )
        for name in ("large", "small")
    }
    for key, moment in first["large"].items():  # the gradient itself, times 1 - β
        torch.testing.assert_close(first["small"][key], moment, rtol=1e-4, atol=1e-8)
    assert large.keys() == small.keys()


def test_accumulation_keeps_to_the_epoch(tmp_path: Path) -> None:
    record = run(tmp_path, accumulate=3, max_epochs=2)  # 8 batches: 3 + 3 + 2
    assert record.steps == 6


def test_first_step_is_adamw(tmp_path: Path) -> None:
    """Loshchilov & Hutter 2019: in step 1 the weights move by rate · sign(g), and decay."""
    before = dict(ToyModel().named_parameters())
    after = one_step(
        tmp_path, ToyBatches(), clip_norm=None, weight_decay=0.5, learning_rate=0.01,
        schedule="constant",
    )  # fmt: skip
    for name, tensor in after.items():
        decayed = before[name].detach() * (1 - 0.01 * 0.5 * (tensor.ndim > 1))
        moved = (tensor - decayed).abs()
        # where the gradient is far above ε = 1e-8
        assert float(moved.median()) == pytest.approx(0.01, rel=1e-2), name


def test_clipping_shrinks_the_gradient_to_its_norm(tmp_path: Path) -> None:
    one_step(tmp_path, ToyBatches(), clip_norm=0.01)
    moments = load_file(newest_checkpoint(tmp_path / "training").path / "optimizer.safetensors")
    gradients = [t / (1 - 0.9) for key, t in moments.items() if key.startswith("exp_avg.")]
    norm = float(torch.cat([gradient.flatten() for gradient in gradients]).norm())
    assert norm == pytest.approx(0.01, rel=1e-3)


def test_loss_in_the_log_is_the_loss(tmp_path: Path) -> None:
    run(tmp_path, ToyModel(), ToyBatches(size=40), max_steps=1, label_smoothing=0.3)
    entry = next(e for e in read_log(tmp_path / "training" / "log.jsonl") if e["event"] == "step")
    assert entry["loss"] == pytest.approx(toy_loss(ToyModel(), ToyBatches(size=40)), rel=1e-5)
    assert entry["objective"] != pytest.approx(entry["loss"], rel=1e-3)


@pytest.mark.learning
def test_bfloat16_learns_too(tmp_path: Path) -> None:
    record = run(tmp_path, precision="bfloat16", max_epochs=10)
    assert record.precision == "bfloat16"
    assert record.best["loss"] < 0.8 * record.history[0]["loss"]
    kept = load_file(tmp_path / "model.safetensors")
    assert {tensor.dtype for tensor in kept.values()} == {torch.float32}


# ---------------------------------------------------------------- resuming


@pytest.mark.parametrize("average", ["none", "ema", "last"])
def test_interrupted_and_resumed_is_uninterrupted(tmp_path: Path, average: str) -> None:
    options: dict[str, Any] = {
        "max_steps": 30, "evaluate_every": 7, "average": average, "average_last": 2,
        "accumulate": 3, "scheduled_sampling": 0.5,
    }  # fmt: skip
    whole = run(tmp_path / "whole", ToyModel(0.3), **options)
    cut = run(tmp_path / "cut", ToyModel(0.3), InterruptedBatches(38), **options)
    assert (cut.stopped, cut.steps) == ("interrupted", 13)
    rest = run(tmp_path / "cut", ToyModel(0.3, seed=9), resume=True, **options)
    assert weights_of(tmp_path / "cut") == weights_of(tmp_path / "whole")
    assert (rest.best, rest.best_step, rest.history) == (
        whole.best, whole.best_step, whole.history,
    )  # fmt: skip
    entries = read_log(tmp_path / "cut" / "training" / "log.jsonl")
    steps = [entry["step"] for entry in entries if entry["event"] == "dev"]
    assert steps == [7, 14, 21, 28, 30]
    assert [entry["event"] for entry in entries].count("end") == 1


class InterruptedBatches(ToyBatches):
    """Ctrl-C while batch number ``when`` of the run is fetched."""

    def __init__(self, when: int, number: signal.Signals = signal.SIGINT) -> None:
        super().__init__()
        self.left, self.signal = when, number

    def iterate(self, epoch: int, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        for batch in super().iterate(epoch, start, rank, world):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), self.signal)
            yield batch


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_with_a_checkpoint_and_a_model(tmp_path: Path, number: signal.Signals) -> None:
    handlers = signal.getsignal(number)
    record = run(tmp_path, batches=InterruptedBatches(5, number), max_steps=100)
    assert (record.stopped, record.steps, record.best) == ("interrupted", 4, {})
    assert newest_checkpoint(tmp_path / "training").state()["position"]["step"] == 4
    assert (tmp_path / "model.safetensors").is_file()
    assert signal.getsignal(number) is handlers


def test_second_ctrl_c_is_not_held_back(tmp_path: Path) -> None:
    class Impatient(InterruptedBatches):
        def iterate(self, *arguments: int, **options: int) -> Iterator[Batch]:
            for batch in super().iterate(*arguments, **options):
                if self.left <= 0:
                    os.kill(os.getpid(), signal.SIGINT)
                yield batch

    # What was started in the background of a shell ignores it; Python's own handler raises.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, batches=Impatient(5), max_steps=100)
    finally:
        signal.signal(signal.SIGINT, inherited)


def test_runs_outside_the_main_thread(tmp_path: Path) -> None:
    records: list[TrainingRecord] = []
    thread = threading.Thread(target=lambda: records.append(run(tmp_path, max_steps=2)))
    thread.start()
    thread.join()
    assert records[0].steps == 2


def test_finished_run_has_nothing_left_to_do(tmp_path: Path) -> None:
    first = run(tmp_path, max_epochs=2)
    score = ToyScore()
    again = run(tmp_path, ToyModel(seed=5), score=score, max_epochs=2, resume=True)
    assert (again.steps, again.stopped, score.losses) == (16, "max_epochs", [])
    assert again.best == first.best


def test_patience_at_its_end_stays_so(tmp_path: Path) -> None:
    options: dict[str, Any] = {"patience": 1, "evaluate_every": 2, "max_steps": 100}
    run(tmp_path, score=lambda model: {"loss": 1.0}, **options)
    assert run(tmp_path, resume=True, **options).steps == 4


def test_limits_may_grow(tmp_path: Path) -> None:
    run(tmp_path, max_steps=12)
    record = run(tmp_path, resume=True, max_steps=24)
    assert record.steps == 24
    assert [scoring["step"] for scoring in record.history][-3:] == [20, 22, 24]


def test_minutes_used_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count()  # a slow disk must not decide
    clock = SimpleNamespace(monotonic=lambda: float(next(seconds)))
    monkeypatch.setattr(run_module, "time", clock)
    first = run(tmp_path, batches=InterruptedBatches(9), max_minutes=1000.0)
    second = run(tmp_path, batches=InterruptedBatches(9), max_minutes=1000.0, resume=True)
    assert second.minutes > first.minutes
    assert second.steps == 16


def test_killed_before_the_first_checkpoint_starts_afresh(tmp_path: Path) -> None:
    (tmp_path / "training" / ".incomplete-00000000").mkdir(parents=True)
    (tmp_path / "training" / "log.jsonl").write_text('{"event": "start", "step": 0}\n')
    assert run(tmp_path, resume=True, max_steps=2).steps == 2
    events = [entry["event"] for entry in read_log(tmp_path / "training" / "log.jsonl")]
    assert events.count("start") == 1


# ---------------------------------------------------------------- what a person can cause


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing to resume in .*missing"):
        run(tmp_path / "missing", resume=True, max_steps=1)


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    run(tmp_path, max_steps=1)
    with pytest.raises(CheckpointError, match="must not hold a run"):
        run(tmp_path, max_steps=1)


def test_other_settings_are_not_resumed(tmp_path: Path) -> None:
    run(tmp_path, max_steps=1, fingerprint="one")
    with pytest.raises(
        CheckpointError, match=r"training\.learning_rate must be 0\.01 to resume.*; got 0\.02"
    ):
        run(tmp_path, max_steps=2, resume=True, learning_rate=0.02, fingerprint="one")
    with pytest.raises(CheckpointError, match=r"data and model must be the same .*'two'"):
        run(tmp_path, max_steps=2, resume=True, fingerprint="two")


def test_an_option_that_came_after_the_checkpoint_is_as_by_default(tmp_path: Path) -> None:
    run(tmp_path, max_steps=1)
    state = newest_checkpoint(tmp_path / "training").path / "state.json"
    older = json.loads(state.read_text())
    for option in ("weights", "word_dropout", "teacher_folder"):
        del older["config"][option]
    state.write_text(json.dumps(older))
    (state.parent / "SHA256SUMS").unlink()  # of a change that is no damage
    for option, default, other in (("weights", "float32", "int8"), ("word_dropout", 0.0, 0.5)):
        with pytest.raises(
            CheckpointError, match=rf"training\.{option} must be {default} to resume.*; got {other}"
        ):
            run(tmp_path, max_steps=2, resume=True, **{option: other})
    assert run(tmp_path, max_steps=2, resume=True).steps == 2


def test_other_model_is_not_resumed(tmp_path: Path) -> None:
    run(tmp_path, max_steps=1)
    with pytest.raises(CheckpointError, match=r"model must be that of .*embedding\.weight"):
        run(tmp_path, ToyModel(width=16), max_steps=2, resume=True)


def test_another_number_of_processes_is_not_resumed(tmp_path: Path) -> None:
    run(tmp_path, max_steps=1)
    state = newest_checkpoint(tmp_path / "training").path / "state.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "processes": 2}))
    (state.parent / "SHA256SUMS").unlink()  # of a change that is no damage
    with pytest.raises(CheckpointError, match="run of 2 processes must be resumed with as many"):
        run(tmp_path, max_steps=2, resume=True)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_lost_loss_says_where_and_what_to_change(tmp_path: Path, value: float) -> None:
    class Broken(ToyModel):
        calls = 0

        def proceed(self, *inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
            self.calls += 1
            logits, state = super().proceed(*inputs)
            return logits * (value if self.calls == 14 else 1.0), state

    with pytest.raises(
        TrainingError,
        match=r"loss must be a finite number.* step 20 \(learning rate .*learning_rate.*clip_norm"
        r".*precision=float32",
    ):
        run(tmp_path, Broken(), max_steps=100, checkpoint_every=10, evaluate_every=100)
    last = newest_checkpoint(tmp_path / "training")
    assert last.state()["position"]["step"] == 10
    assert all(tensor.isfinite().all() for tensor in last.tensors("weights").values())


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_shortage_of_memory_names_the_batch(tmp_path: Path, error: BaseException) -> None:
    class Huge(ToyModel):
        def proceed(self, *inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
            raise error

    with pytest.raises(
        TrainingError,
        match=r"5 sentences with sources of 6 and targets of 6 tokens.*lower training\.batch",
    ):
        run(tmp_path, Huge(), max_steps=1)


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    class Buggy(ToyModel):
        def proceed(self, *inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        run(tmp_path, Buggy(), max_steps=1)


def test_dev_with_nothing_in_it(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="dev must hold at least one pair"):
        run(tmp_path, score=lambda model: {}, max_steps=1)


def test_training_data_with_nothing_in_it(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="training data must hold at least one batch"):
        run(tmp_path, batches=ToyBatches(pairs=0), max_steps=1)


def test_unwritable_folder_is_said_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    model = ToyModel()
    before = model.output.bias.clone()
    with pytest.raises(CheckpointError, match="must be a writable directory"):
        run(tmp_path / "file", model, max_steps=1)
    assert torch.equal(model.output.bias, before)


def test_disk_that_fills_up_leaves_a_run_to_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"max_steps": 9, "evaluate_every": 3}
    run(tmp_path / "whole", **options)
    real, calls = checkpoint_module.save_file, [0]

    def fills_up(*arguments: Any, **named: Any) -> None:
        calls[0] += 1
        if calls[0] > 12:  # the second checkpoint after the first one at step 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(*arguments, **named)

    monkeypatch.setattr(checkpoint_module, "save_file", fills_up)
    with pytest.raises(CheckpointError, match=r"No space left on device.*last good checkpoint is"):
        run(tmp_path / "full", **options)
    monkeypatch.undo()
    run(tmp_path / "full", resume=True, **options)
    assert weights_of(tmp_path / "full") == weights_of(tmp_path / "whole")


def test_precision_must_be_known_to_the_device() -> None:
    config = TrainingConfig(precision="bfloat16")
    assert choose_precision(config, torch.device("cpu")) == "bfloat16"
    with pytest.raises(ConfigError, match=r"must be float32 or auto on this device; got .* on mps"):
        choose_precision(config, torch.device("mps"))
    auto = choose_precision(TrainingConfig(), torch.device("mps"))
    assert auto == "float32"


@pytest.mark.parametrize(("capable", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_asks_the_processor(
    monkeypatch: pytest.MonkeyPatch, capable: bool, expected: str
) -> None:
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"avx512_bf16": capable}, raising=False
    )
    assert choose_precision(TrainingConfig(), torch.device("cpu")) == expected


def test_plain_numbers_in_the_record(tmp_path: Path) -> None:
    record = run(tmp_path, max_steps=2)
    assert json.loads(json.dumps(asdict(record)))["best"] == record.best
    assert np.isfinite(record.minutes)
