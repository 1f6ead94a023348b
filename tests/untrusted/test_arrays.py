"""Archives of arrays: what NumPy writes is read, nothing else is believed."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transduce.errors import ModelError
from transduce.untrusted.arrays import read_arrays

ARRAYS: dict[str, Any] = {
    "a": np.arange(6.0).reshape(2, 3),
    "b": np.float32(3),
    "c": np.arange(4, dtype="<i4"),
    "d": np.asfortranarray(np.arange(6, dtype="<f2").reshape(3, 2)),
    "e": np.zeros((0, 5), "<f4"),
    "f": np.arange(3, dtype="u1"),
}
MOST = 1 << 16


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def member(header: bytes, body: bytes = b"\0" * 8, version: int = 1) -> bytes:
    form = "<H" if version == 1 else "<I"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack(form, len(header)) + header + body


def header(kind: str = "<f4", shape: str = "2,", order: str = "False") -> bytes:
    return f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': ({shape}), }}\n".encode()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(tmp_path: Path, save: Callable[..., None]) -> None:
    save(tmp_path / "a.npz", **ARRAYS)
    found = read_arrays(tmp_path / "a.npz", ARRAYS, MOST)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == np.shape(array)
        np.testing.assert_array_equal(found[name], array)


def test_every_version_of_the_format(tmp_path: Path) -> None:
    for version in (1, 2, 3):
        path = archive(tmp_path / "a.npz", a=member(header(), b"\0\0\x80?" * 2, version))
        assert read_arrays(path, ["a"], MOST)["a"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "a must be an array"),
        (b"\x93NUMPY", "a must be an array"),
        (b"plain text, as it stands in archives of other things", "a must be an array"),
        (member(header(), version=9), "a must be an array"),
        (member(b"(" * 300), "a must be an array of plain numbers"),  # a token error of Python's
        (member(b"__import__('os').system('id')"), "a must be an array of plain numbers"),
        (member(header("|O")), "a must be an array of plain numbers"),
        (member(header(">f4")), "a must be an array of plain numbers"),
        (member(header("<U2")), "a must be an array of plain numbers"),
        (member(header(shape="-2,")), "a must be an array of plain numbers"),
        (member(header(shape="2")), "a must be an array of plain numbers"),
        (member(header(shape="1 << 9")), "a must be an array of plain numbers"),
        (member(header(shape="9" * 12)), "a must be an array of plain numbers"),
        (member(header(shape="1," * 6000 + "1")), "a must be an array of plain numbers"),
        (member(header(shape="1, " * 8 + "1")), "a must have 8 dimensions at most"),
        (member(header(shape="3,")), "a must have as many bytes as its shape says"),
        (member(header(shape="999999999, 999999999")), "a must have as many bytes as its shape"),
        (member(header())[:40], "a must be an array of plain numbers"),
    ],
)
def test_arrays_that_lie(tmp_path: Path, content: bytes, reason: str) -> None:
    path = archive(tmp_path / "a.npz", a=content)
    with pytest.raises(ModelError, match=reason) as caught:
        read_arrays(path, ["a"], MOST)
    assert str(caught.value).startswith(f"{path}: weights must be a whole .npz of plain arrays; ")


def test_archives_that_lie(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(ModelError, match=r"must be a readable \.npz; No such file"):
        read_arrays(path, ["a"], MOST)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", b"\0" * (MOST + 1))
    with pytest.raises(ModelError, match="it must unpack to 65,536 bytes at most"):
        read_arrays(path, ["a"], MOST)
    archive(path, b=member(header()))
    with pytest.raises(ModelError, match="weights must hold a; it has none"):
        read_arrays(path, ["a"], MOST)
    whole = archive(path, a=member(header())).read_bytes()
    for end in range(0, len(whole), 3):
        path.write_bytes(whole[:end])
        with pytest.raises(ModelError, match="weights must be a"):
            read_arrays(path, ["a"], MOST)
    out = io.BytesIO(whole)
    with zipfile.ZipFile(out, "a") as file:
        file.filelist[0].flag_bits |= 1  # says that it is encrypted
        file.writestr("x", b"")
    path.write_bytes(out.getvalue())
    with pytest.raises(ModelError, match="weights must be"):
        read_arrays(path, ["a"], MOST)
