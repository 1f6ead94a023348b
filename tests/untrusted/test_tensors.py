"""Files of tensors: what the package writes is read; a header that lies is refused unread."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from transduce.errors import ModelError
from transduce.untrusted.tensors import TensorFile, read_tensors, require_finite

TENSORS = {
    "a": torch.randn(3, 5),
    "b": torch.arange(6).view(2, 3),
    "c": torch.tensor(2.5, dtype=torch.float64),
    "d": torch.zeros(0, 4),
    "e": torch.randn(4).bfloat16(),
    "f": torch.randn(2, 2).half(),
    "g": torch.tensor([True, False]),
    "h": torch.arange(3, dtype=torch.uint8),
}


def write(path: Path, header: Any, content: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)
    return path


def entry(shape: Any, begin: Any, end: Any, kind: Any = "F32") -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


def test_what_the_package_writes_is_read(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "x", metadata={"format": "pt"})
    found = read_tensors(tmp_path / "x")
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)
    with TensorFile(tmp_path / "x") as file:
        assert file.shapes["d"] == (0, 4)


def test_a_file_that_is_cut_while_it_is_open(tmp_path: Path) -> None:
    """An error and no signal, which is what a mapped file would end with."""
    save_file({"a": torch.zeros(1 << 20)}, tmp_path / "x")
    with TensorFile(tmp_path / "x") as file:
        (tmp_path / "x").write_bytes(b"")
        with pytest.raises(ModelError, match="it ends inside a"):
            file.read("a")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"[]", "it must be a JSON object"),
        (b"{", "Expecting property name"),
        (b'{"a": 1, "a": 1}', "a key must be given once"),
        (b"\xff", "codec can't decode"),
        ({"__metadata__": {"format": 1}}, "__metadata__ must be texts by name"),
        ({"__metadata__": []}, "__metadata__ must be texts by name"),
        ({"a": 1}, "a must have dtype, shape and data_offsets"),
        ({"a": {**entry([2], 0, 8), "more": 1}}, "a must have dtype, shape and data_offsets"),
        ({"a": entry([2], 0, 8, "F8_E4M3")}, "the type of a must be one of F64, F32"),
        ({"a": entry([2], 0, 8, ["F32"])}, "the type of a must be one of F64, F32"),
        ({"a": entry([-2], 0, 8)}, "shape and data_offsets of a must be numbers"),
        ({"a": entry([True, 2], 0, 8)}, "shape and data_offsets of a must be numbers"),
        ({"a": entry(2, 0, 8)}, "shape and data_offsets of a must be numbers"),
        ({"a": entry([1] * 9, 0, 4)}, "a must have 8 dimensions at most"),
        ({"a": entry([2**40, 2**40], 0, 8)}, "bytes by its shape [1099511627776, 1099511627776]"),
        ({"a": entry([2], 8, 0)}, "a must have 8 bytes by its shape [2]; got -8"),
        ({"a": entry([2], 4, 12)}, "a must begin where the tensor before it ends"),
        ({"a": entry([2], 0, 8), "b": entry([1], 4, 8)}, "b must begin where the tensor before"),
        ({"a": entry([1], 0, 4)}, "its tensors must fill the file to byte"),
        ({"a": entry([4], 0, 16)}, "its tensors must fill the file to byte"),
    ],
)
def test_headers_that_lie(tmp_path: Path, header: Any, reason: str) -> None:
    path = write(tmp_path / "x", header, b"\0" * 8)
    with pytest.raises(ModelError, match=re.escape(reason)) as caught:
        TensorFile(path)
    assert str(caught.value).startswith(f"{path}: weights must be a readable safetensors file; ")


@pytest.mark.parametrize(
    "content", [b"", b"\x01", struct.pack("<Q", 2**63), struct.pack("<Q", 10) + b"{}"]
)
def test_files_that_are_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ModelError, match="must be a readable safetensors file; it"):
        TensorFile(tmp_path / "x")


def test_places_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        TensorFile(tmp_path / "nothing")
    with pytest.raises(ModelError, match="a readable safetensors file; "):
        TensorFile(tmp_path)


def test_every_cut_and_every_changed_byte_of_a_header(tmp_path: Path) -> None:
    """Nothing but ModelError, and never a tensor of another shape than its bytes."""
    save_file({"a": torch.ones(2, 3), "b": torch.ones(2)}, tmp_path / "x")
    whole = (tmp_path / "x").read_bytes()
    generator = np.random.default_rng(1)
    changed = [whole[:end] for end in range(len(whole))]
    for place in range(len(whole) - 32):
        for byte in generator.integers(0, 256, 4):
            changed.append(whole[:place] + bytes([byte]) + whole[place + 1 :])
    read = 0
    for content in changed:
        (tmp_path / "x").write_bytes(content)
        try:
            found = read_tensors(tmp_path / "x")
        except ModelError:
            continue
        assert sum(t.numel() * t.itemsize for t in found.values()) == 32
        read += 1
    assert read < len(changed) / 4  # names that changed


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_numbers_that_are_none(kind: torch.dtype) -> None:
    tensor = torch.zeros(3, 4, dtype=kind)
    require_finite("x", tensor)
    tensor[1, 2] = float("nan")
    with pytest.raises(ModelError, match="x must hold finite numbers; got NaN"):
        require_finite("x", tensor)
    for infinite in (float("inf"), float("-inf")):
        tensor[1, 2] = infinite
        with pytest.raises(ModelError, match="x must hold finite numbers; got an infinite one"):
            require_finite("x", tensor)
    require_finite("x", torch.zeros(0, dtype=kind))
    require_finite("x", torch.arange(3))
