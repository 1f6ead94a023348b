"""NumPy's archives of arrays (``.npz``): plain numbers, by headers of the one form that is written.

NumPy's own reader takes a header for a literal of Python, of any size and depth, and gives bytes
where a member is no array. Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transduce.errors import ModelError
from transduce.untrusted.opening import open_regular

__all__ = ["read_arrays"]

_MAGIC = b"\x93NUMPY"
_LENGTHS = {1: "<H", 2: "<I", 3: "<I"}  # of a header, by the version of the format
_HEADER = re.compile(
    rb"\{'descr': '([<|][fiu][1248])', 'fortran_order': (False|True), "
    rb"'shape': \(((?:\d{1,9},|\d{1,9}(?:, ?\d{1,9})+,?)?)\), ?\}\s*"
)
_BROKEN = (ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error, struct.error)
_MOST_DIMENSIONS = 8
_LONGEST = 10_000  # bytes of a header


def read_arrays(
    path: str | Path, names: Iterable[str], most: int
) -> dict[str, NDArray[np.generic]]:
    """The arrays of these names, all of them together of at most ``most`` bytes.

    Raises ModelError naming the file.
    """
    try:
        with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
            held = {file.filename: file for file in archive.infolist()}
            if sum(file.file_size for file in archive.infolist()) > most:
                raise ValueError(f"it must unpack to {most:,} bytes at most")
            found = {}
            for name in names:
                member = held.get(f"{name}.npy")
                if member is None:
                    raise ModelError(f"{path}: weights must hold {name}; it has none")
                found[name] = _array(name, archive.read(member))
            return found
    except OSError as error:
        reason = error.strerror or "it ends too early"
        raise ModelError(f"{path}: weights must be a readable .npz; {reason}") from None
    except _BROKEN as error:
        raise ModelError(f"{path}: weights must be a whole .npz of plain arrays; {error}") from None
    except RuntimeError:  # the library's, of what is encrypted
        raise ModelError(f"{path}: weights must be a whole .npz that anybody can read") from None


def _array(name: str, content: bytes) -> NDArray[np.generic]:
    """What a member holds. Raises ValueError, struct.error."""
    if not content.startswith(_MAGIC) or len(content) < 8 or content[6] not in _LENGTHS:
        raise ValueError(f"{name} must be an array")
    form = _LENGTHS[content[6]]
    start = 8 + struct.calcsize(form)
    end = start + struct.unpack_from(form, content, 8)[0]
    header = _HEADER.fullmatch(content, start, end) if end - start <= _LONGEST else None
    if header is None:
        raise ValueError(f"{name} must be an array of plain numbers")
    kind = np.dtype(header[1].decode())
    shape = tuple(int(size) for size in re.findall(rb"\d+", header[3]))
    if len(shape) > _MOST_DIMENSIONS:
        raise ValueError(f"{name} must have {_MOST_DIMENSIONS} dimensions at most")
    if len(content) - end != math.prod(shape) * kind.itemsize:
        raise ValueError(f"{name} must have as many bytes as its shape says")
    flat = np.frombuffer(bytearray(content[end:]), kind)
    return flat.reshape(shape, order="F" if header[2] == b"True" else "C")
