"""A small writer of CTranslate2's ``model.bin`` for tests, from the format's description."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TYPES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4, "uint16": 5}  # 5: bfloat16


def binary(
    variables: Mapping[str, NDArray[np.generic]],
    aliases: Mapping[str, str] | None = None,
    *,
    specification: str = "TransformerSpec",
    version: int = 6,
    revision: int = 7,
) -> bytes:
    """The bytes of a file; arrays of uint16 are written as bfloat16."""
    parts = [struct.pack("<I", version)]
    if version >= 2:
        parts += [_string(specification), struct.pack("<I", revision)]
    parts.append(struct.pack("<I", len(variables)))
    for name, values in variables.items():
        parts += [_string(name), struct.pack("<B", values.ndim)]
        parts += [struct.pack("<I", size) for size in values.shape]
        kind, size = TYPES[values.dtype.name], values.nbytes
        if version < 4:
            kind, size = values.itemsize, values.size
        parts += [struct.pack("<BI", kind, size), values.tobytes()]
    given = aliases or {}
    if version >= 3:
        parts.append(struct.pack("<I", len(given)))
    for alias, name in given.items():
        parts += [_string(alias), _string(name)]
    return b"".join(parts)


def write_binary(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _string(text: str) -> bytes:
    encoded = text.encode() + b"\0"
    return struct.pack("<H", len(encoded)) + encoded
