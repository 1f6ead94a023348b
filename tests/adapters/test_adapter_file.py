"""An adapter as a file: back as it was, and one clear line for everything that is none."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from architectures import ARCHITECTURES, make_model
from transduce.adapters import (
    Adapter,
    LowRankChange,
    base_of_adapter,
    read_adapter,
    write_adapter,
)
from transduce.errors import ModelError

BASE, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return make_model(ARCHITECTURES["gru-general"])


@pytest.fixture
def path(model, tmp_path: Path) -> Path:
    change = LowRankChange(2)
    numbers = {name: torch.randn(shape) for name, shape in change.shapes(model).items()}
    write_adapter(Adapter(BASE, change, numbers), tmp_path / "own.safetensors")
    return tmp_path / "own.safetensors"


def told(path: Path) -> dict[str, str]:
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    found: dict[str, str] = json.loads(data[8 : 8 + size])["__metadata__"]
    return found


def again(path: Path, *, tensors: dict | None = None, drop: str = "", **about: str) -> None:
    """Write the file with some of its tensors and metadata replaced."""
    kept = {**load_file(path), **(tensors or {})}
    metadata = {**told(path), **about}
    kept.pop(drop, None)
    save_file(kept, path, metadata=metadata)


def test_round_trip(model, path: Path) -> None:
    stored = load_file(path)
    found = read_adapter(path, model, BASE)
    assert found.change == LowRankChange(2)
    assert found.base == base_of_adapter(path) == BASE
    assert found.numbers.keys() == stored.keys() == found.change.shapes(model).keys()
    assert all(torch.equal(found.numbers[name], stored[name]) for name in stored)
    write_adapter(found, path.with_name("second"))
    assert read_adapter(path.with_name("second"), model, BASE).numbers.keys() == stored.keys()


def name_of(path: Path) -> str:
    return min(load_file(path))


DAMAGE: list[tuple[str, Callable[[Path], None], str]] = [
    ("empty", lambda p: p.write_bytes(b""), "must be a readable safetensors file; it has 0 bytes"),
    ("text", lambda p: p.write_text("a\tb\n" * 99), "must be a readable safetensors file"),
    ("cut", lambda p: p.write_bytes(p.read_bytes()[:-5]), "its tensors must fill the file"),
    (
        "flipped",
        lambda p: p.write_bytes(p.read_bytes()[:-1] + bytes([p.read_bytes()[-1] ^ 1])),
        "adapter must be the file that was saved; its numbers have another checksum",
    ),
    ("model", lambda p: save_file({"a": torch.ones(2)}, p), "`transduce adapt` wrote; got another"),
    ("kind", lambda p: again(p, kind="transduce-x"), "`transduce adapt` wrote; got another"),
    ("rank", lambda p: again(p, rank="1" * 30), "rank must be a number from 1 to 256; got '11111"),
    ("rank 0", lambda p: again(p, rank="0"), "rank must be a number from 1 to 256; got '0'"),
    ("other rank", lambda p: again(p, rank="3"), r"must be float32 \[3, .*; got float32 \[2, "),
    ("base", lambda p: again(p, base="abc"), "base must be a checksum of 64 digits; got 'abc'"),
    ("missing", lambda p: again(p, drop=name_of(p)), "adapter must hold decoder"),
    (
        "unknown",
        lambda p: again(p, tensors={"encoder.x": torch.ones(2)}),
        "adapter must not hold encoder.x, as the model is built",
    ),
    (
        "halves",
        lambda p: again(p, tensors={k: v.half() for k, v in load_file(p).items()}),
        "must be float32 .*; got float16",
    ),
    (
        "infinite",
        lambda p: again(p, tensors={name_of(p): load_file(p)[name_of(p)] / 0}),
        "must hold finite numbers; got",
    ),
]


@pytest.mark.parametrize(("damage", "said"), [c[1:] for c in DAMAGE], ids=[c[0] for c in DAMAGE])
def test_what_is_no_adapter_is_said_in_one_line(
    model, path: Path, damage: Callable[[Path], None], said: str
) -> None:
    damage(path)
    with pytest.raises(ModelError, match=said) as error:
        read_adapter(path, model, BASE)
    assert "own.safetensors" in str(error.value)
    assert "\n" not in str(error.value)


def test_another_model_is_told_from_its_own(model, path: Path) -> None:
    with pytest.raises(ModelError, match=r"of this model \(weights cdcdcdcdcdcd…\); got one of"):
        read_adapter(path, model, OTHER)


def test_no_file_at_all(model, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        read_adapter(tmp_path / "none", model, BASE)


def test_a_writer_that_dies_leaves_the_old_file(
    model, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def half_written(weights, aside: Path, about) -> None:
        aside.write_bytes(before[:20])
        raise KeyboardInterrupt

    monkeypatch.setattr("transduce.adapters.adapter_file.write_weights", half_written)
    with pytest.raises(KeyboardInterrupt):
        write_adapter(read_adapter(path, model, BASE), path)
    assert path.read_bytes() == before
    assert [*path.parent.iterdir()] == [path]
