"""What cells lie on: a spectrogram over seconds and hertz, or a picture over its pixels."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from transduce.errors import DataError
from transduce.explain.records.checked_record import Record

__all__ = ["Canvas"]

_MOST = 1 << 26  # bytes of a picture


@dataclass(frozen=True)
class Canvas:
    """A picture, uint8 ``[Y, X]`` or ``[Y, X, 3]``, row 0 uppermost, and the cells on it.

    ``column_edges`` are where each column of cells begins, and where the last one ends, in
    ``across``; ``row_edges`` likewise in ``down``. ``upwards``: the first row of cells is the
    lowest one of the picture, as hertz are.
    """

    picture: NDArray[np.uint8]
    column_edges: tuple[float, ...]
    row_edges: tuple[float, ...]
    across: Literal["seconds", "pixels"]
    down: Literal["hertz", "pixels"]

    @property
    def columns(self) -> int:
        """Of cells."""
        return len(self.column_edges) - 1

    @property
    def rows(self) -> int:
        """Of cells."""
        return len(self.row_edges) - 1

    @property
    def upwards(self) -> bool:
        """Whether the first row is the lowest."""
        return self.down == "hertz"

    def names(self) -> list[str]:
        """Of each cell, column after column: ``0.10–0.20 s, 300–600 Hz``."""
        unit_across, unit_down = (
            ("s", "Hz") if self.across == "seconds" else ("px across", "px down")
        )
        return [
            f"{_span(self.column_edges, column)} {unit_across}, "
            f"{_span(self.row_edges, row)} {unit_down}"
            for column in range(self.columns)
            for row in range(self.rows)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; the picture as base64 of zlib's bytes."""
        packed = base64.b64encode(zlib.compress(np.ascontiguousarray(self.picture).tobytes(), 6))
        return {
            "shape": list(self.picture.shape),
            "picture": packed.decode(),
            "column_edges": list(self.column_edges),
            "row_edges": list(self.row_edges),
            "across": self.across,
            "down": self.down,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], name: str | Path, cells: int) -> Canvas:
        """Raises DataError where it is broken, or has not so many ``cells``."""
        record = Record.of(values, name)
        shape = record.numbers("shape", None)
        size = int(np.prod(shape)) if shape else 0
        plain = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
        if not plain or any(side != int(side) or side < 1 for side in shape) or size > _MOST:
            raise DataError("shape of the picture must be [Y, X] or [Y, X, 3]", file=name)
        try:
            unpacking = zlib.decompressobj()
            data = unpacking.decompress(base64.b64decode(record.of_type("picture", str)), size + 1)
        except (binascii.Error, ValueError, zlib.error):
            raise DataError("picture must be base64 of zlib's bytes", file=name) from None
        if len(data) != size:
            raise DataError(f"picture must have {size:,} numbers; got another count", file=name)
        found = cls(
            np.frombuffer(data, np.uint8).reshape([int(side) for side in shape]),
            record.numbers("column_edges", None),
            record.numbers("row_edges", None),
            record.one_of("across", ("seconds", "pixels")),  # type: ignore[arg-type]
            record.one_of("down", ("hertz", "pixels")),  # type: ignore[arg-type]
        )
        if min(found.columns, found.rows) < 1 or found.columns * found.rows != cells:
            raise DataError(f"canvas must have {cells:,} cells; got others", file=name)
        return found


def _span(edges: tuple[float, ...], place: int) -> str:
    return f"{edges[place]:.4g}–{edges[place + 1]:.4g}"
