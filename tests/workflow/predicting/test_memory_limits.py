"""What does not fit into memory is told before it is tried."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from small_runs import tiny, train_tiny, words, write_lines, write_reversals
from transduce.config import Config
from transduce.errors import ConfigError, DataError
from transduce.interfaces import Source
from transduce.models.build import build_model
from transduce.workflow.fitting import pair_limits, training_limits
from transduce.workflow.predicting import source_limits
from transduce.workflow.predicting.source_limits import SourceLimits, available_memory

Patch = pytest.MonkeyPatch
CPU = torch.device("cpu")
STACK = {"kind": "transformer", "width": 16, "heads": 2, "feedforward": 16, "layers": 1}


def with_memory(monkeypatch: Patch, module: Any, amount: int) -> None:
    monkeypatch.setattr(module, "available_memory", lambda device: amount)


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Any]:
    texts = words(0, 40)
    return {
        "train": write_reversals(tmp_path / "train.tsv", texts[:30]),
        "dev": write_reversals(tmp_path / "dev.tsv", texts[30:]),
    }


def test_a_model_is_counted_before_it_is_made(
    data: dict[str, Any], tmp_path: Path, monkeypatch: Patch
) -> None:
    with_memory(monkeypatch, training_limits, 10_000)
    with pytest.raises(ConfigError) as caught:
        train_tiny(tiny(data), tmp_path / "run")
    message = str(caught.value)
    assert message.startswith("model must fit into memory to be trained; got ")
    monkeypatch.undo()
    trained, _ = train_tiny(tiny(data), tmp_path / "run")
    count = sum(parameter.numel() for parameter in trained.model.parameters())
    assert f"got {count:,} parameters, which take 0.0 GB" in message


def test_thousands_of_layers_are_not_all_made(
    data: dict[str, Any], tmp_path: Path, monkeypatch: Patch
) -> None:
    wide = {"kind": "lstm", "width": 65_536, "layers": 1024}
    config = tiny(data).updated({"model.encoder": wide, "model.decoder": wide})
    layers = []

    def counting(model: Any, *arguments: Any, **options: Any) -> Any:
        layers.append(model.encoder.layers)
        return build_model(model, *arguments, **options)

    monkeypatch.setattr("transduce.workflow.trained.build_model", counting)
    with pytest.raises(ConfigError, match=r"got over 1[0-9,]+ parameters, which take [0-9,.]+ GB"):
        train_tiny(config, tmp_path / "run")
    assert layers == [16]


@pytest.mark.parametrize("kind", ["gru", "transformer"])
@pytest.mark.parametrize("side", [0, 1])
def test_a_pair_that_does_not_fit_is_told_with_its_cure(
    data: dict[str, Any], tmp_path: Path, monkeypatch: Patch, kind: str, side: int
) -> None:
    pair = ["ab", "ab"]
    pair[side] = "ab" * 2000
    with Path(data["train"]).open("a") as file:
        file.write("\t".join(pair) + "\n")
    stack = STACK if kind == "transformer" else {"kind": "gru", "width": 16}
    config = tiny(data).updated({"model.encoder": stack, "model.decoder": stack})
    with_memory(monkeypatch, pair_limits, 200_000)
    long = [3, 3]
    long[side] = 4001
    with pytest.raises(DataError) as caught:
        train_tiny(config, tmp_path / "run")
    assert str(caught.value).startswith(
        "each pair must fit into memory to be learned from (data.max_source_length and "
        "data.max_target_length leave out or cut longer ones); got one of "
        f"{long[0]:,} and {long[1]:,} tokens or frames, which take 0."
    )
    limits = {"data.max_source_length": 100, "data.max_target_length": 100}
    train_tiny(config.updated(limits), tmp_path / "run")


def test_an_example_that_does_not_fit_is_told(
    data: dict[str, Any], tmp_path: Path, monkeypatch: Patch
) -> None:
    write_lines(data["dev"], ["ab\tba", f"ab\t{'ab' * 3000}"])
    with_memory(monkeypatch, pair_limits, 200_000)
    with pytest.raises(DataError, match="each example must fit into memory to be scored; got one"):
        train_tiny(tiny(data), tmp_path / "run")


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({"memory.max": "1000", "memory.current": "900", "memory.stat": "anon 1\nfile 50"}, 150),
        ({"memory.max": "max", "memory.current": "900", "memory.stat": "file 50"}, None),
        ({"memory.max": "1000", "memory.current": "2000", "memory.stat": "file 0"}, 0),
        (
            {
                "memory/memory.limit_in_bytes": "1000",
                "memory/memory.usage_in_bytes": "300",
                "memory/memory.stat": "total_cache 20",
            },
            720,
        ),
        ({"memory.max": "what", "memory.current": ""}, None),
        ({}, None),
    ],
)
def test_what_a_container_has_left(tmp_path: Path, files: dict[str, str], free: int | None) -> None:
    (tmp_path / "memory").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(f"{text}\n")
    assert source_limits._free_in_group(tmp_path) == free


def test_the_least_of_what_is_known_counts(monkeypatch: Patch) -> None:
    def told(here: int | None, group: int | None) -> int | None:
        monkeypatch.setattr(source_limits, "_free_here", lambda: here)
        monkeypatch.setattr(source_limits, "_free_in_group", lambda: group)
        return available_memory(CPU)

    assert (told(5, 3), told(5, None), told(None, None)) == (3, 5, None)
    assert available_memory(torch.device("meta")) is None


# ---------------------------------------------------------------- how much a source takes


def peak_of(run: Callable[[], Any]) -> int:
    """Bytes of tensors that torch holds at once on the way, about."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    held = most = 0
    for event in seen.events() or ():
        held += event.self_cpu_memory_usage
        most = max(most, held)
    return most


@pytest.mark.parametrize("window", [None, 20])
@pytest.mark.parametrize("positions", ["sinusoidal", "relative", "rotary", "learned"])
def test_the_estimate_is_not_below_what_the_model_takes(positions: str, window: int | None) -> None:
    stack = {**STACK, "positions": positions}
    encoder = {**stack, "window": window}
    config = Config.from_mapping({"model": {"encoder": encoder, "decoder": stack}})
    model = build_model(config.model, 30, 30).eval()
    limits = SourceLimits.of(config.model, (30, 30), CPU, native=False)
    for length in (200, 800):
        source = Source(torch.full((1, length), 5), torch.tensor([length]))
        with torch.inference_mode():
            taken = peak_of(lambda source=source: model.start(source))  # type: ignore[misc]
        estimate = limits.each * length + limits.pairs * length**2
        assert taken < estimate < 10 * taken
