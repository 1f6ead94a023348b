"""Pickled weights are read as data: what torch.save writes, and nothing else of the language."""

from __future__ import annotations

import io
import os
import pickle
import random
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from transduce.errors import ModelError
from transduce.untrusted.pickles import PickledFile

TENSORS = {
    "a": torch.randn(3, 5),
    "b": torch.arange(6).view(2, 3),
    "c": torch.tensor(2.5, dtype=torch.float64),
    "d": torch.zeros(0, 4),
    "e": torch.randn(4).bfloat16(),
    "f": torch.randn(2, 2).half(),
    "g": torch.tensor([True, False]),
    "transposed": torch.randn(3, 5).T,
    "part": torch.randn(8, 3)[2:5],
}


def read(path: Path) -> dict[str, torch.Tensor]:
    file = PickledFile(path)
    try:
        found = {name: file.read(name) for name in file.shapes}
        assert {name: tuple(t.shape) for name, t in found.items()} == file.shapes
        return found
    finally:
        file.close()


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_torch_writes_is_read(tmp_path: Path, archive: bool, protocol: int) -> None:
    path = tmp_path / "x.bin"
    shared = {**TENSORS, "again": TENSORS["a"]}
    options = {"_use_new_zipfile_serialization": archive, "pickle_protocol": protocol}
    for given in (shared, OrderedDict(shared)):
        if protocol == 4:  # names are put together by the program: not for us
            torch.save(given, path, **options)
            with pytest.raises(ModelError, match="tensors alone; got STACK_GLOBAL"):
                read(path)
            continue
        torch.save(given, path, **options)
        found = read(path)
        assert found.keys() == shared.keys()
        for name, tensor in shared.items():
            assert found[name].dtype == tensor.dtype
            assert torch.equal(found[name], tensor)
    layer = nn.LSTM(3, 4)
    torch.save(layer.state_dict(), path, _use_new_zipfile_serialization=archive)
    assert all(torch.equal(read(path)[n], t) for n, t in layer.state_dict().items())
    torch.save(dict(layer.named_parameters()), path, _use_new_zipfile_serialization=archive)
    assert all(torch.equal(read(path)[n], t) for n, t in layer.state_dict().items())


class Runs:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize(
    "value",
    [
        {"a": torch.zeros(2), "b": 1},
        {1: torch.zeros(2)},
        {"a": {"b": torch.zeros(2)}},
        [torch.zeros(2)],
        torch.zeros(2),
        {},
        {"a": bytearray(100)},
        {"a": torch.nn.Linear(2, 2)},
        {"a": torch.zeros(1).expand(10**6, 10**6)},
        {"a": torch.zeros(8)[::2]},
        {"a": torch.zeros(2).to_sparse()},
    ],
    ids=repr,
)
def test_other_things_are_refused(tmp_path: Path, value: Any, archive: bool) -> None:
    torch.save(value, tmp_path / "x", _use_new_zipfile_serialization=archive)
    with pytest.raises(ModelError, match="must be a readable file of tensors alone; ") as caught:
        read(tmp_path / "x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("archive", [True, False])
def test_nothing_is_run(tmp_path: Path, archive: bool) -> None:
    mark = tmp_path / "mark"
    torch.save({"a": Runs(mark)}, tmp_path / "x", _use_new_zipfile_serialization=archive)
    with pytest.raises(ModelError, match="tensors alone; got 'posix mkdir'"):
        read(tmp_path / "x")
    assert not mark.exists()


def test_an_archive_that_unpacks_to_more(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, tmp_path / "x")
    with zipfile.ZipFile(tmp_path / "x") as old:
        contents = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(tmp_path / "y", "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in contents.items():
            new.writestr(name, content)
    with pytest.raises(ModelError, match="its entries must be stored as they are"):
        read(tmp_path / "y")


def test_one_storage_under_many_names(tmp_path: Path) -> None:
    tensor = torch.zeros(10_000)
    torch.save({str(n): tensor for n in range(100)}, tmp_path / "x")
    with pytest.raises(ModelError, match="its tensors must have its"):
        read(tmp_path / "x")


def test_any_changed_byte_is_harmless(tmp_path: Path) -> None:
    generator = random.Random(5)
    for archive in (True, False):
        torch.save({"a": torch.ones(2), "b": torch.ones(3, 2)}, tmp_path / "x",
                   _use_new_zipfile_serialization=archive)  # fmt: skip
        whole = (tmp_path / "x").read_bytes()
        for _ in range(300):
            content = bytearray(whole)
            for _ in range(generator.choice([1, 1, 2, 8])):
                content[generator.randrange(len(content))] = generator.randrange(256)
            del content[generator.choice([len(content), generator.randrange(len(content))]) :]
            (tmp_path / "x").write_bytes(content)
            try:
                found = read(tmp_path / "x")
            except ModelError:
                continue
            assert sum(t.numel() * t.itemsize for t in found.values()) <= 4 * len(content)


def test_a_program_that_is_no_file_of_tensors(tmp_path: Path) -> None:
    for program in (b"", b".", b"N.", b"}q\x00.", b"\x80\x02]" + b"]" * 1000, b"(" * 10**5):
        (tmp_path / "x").write_bytes(program)
        with pytest.raises(ModelError, match="must be a readable file of tensors alone; "):
            read(tmp_path / "x")
    stream = io.BytesIO()
    pickle.dump({"a": 1}, stream)
    (tmp_path / "x").write_bytes(stream.getvalue() * 5)
    with pytest.raises(ModelError, match="must be a readable file of tensors alone; "):
        read(tmp_path / "x")
