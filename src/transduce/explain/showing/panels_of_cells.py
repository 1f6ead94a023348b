"""Weights on a spectrogram or picture, in HTML: one panel for each thing explained."""

from __future__ import annotations

import base64
import struct
import zlib
from html import escape

import numpy as np
from numpy.typing import NDArray

from transduce.explain.asking.units import edges
from transduce.explain.records.canvas import Canvas
from transduce.explain.records.weighed import Weighed
from transduce.explain.showing.shades import AGAINST, FOR, hexadecimal, row_name, scaled

__all__ = ["cell_figures", "png"]

_WIDE, _HIGH = 420, 180  # pixels of a panel at most
_STRONGEST = 0.8  # how much of a picture the strongest weight covers


def cell_figures(explanation: Weighed) -> str:
    """A figure for each row, with its numbers in a table that opens."""
    canvas = explanation.canvas
    if canvas is None:
        raise ValueError("explanation must have a canvas")
    picture = base64.b64encode(png(canvas.picture)).decode()
    figures = []
    grid = explanation.grid
    for row, score, own, strength in zip(
        explanation.rows, explanation.scores, grid, scaled(grid), strict=True
    ):
        name = escape(row_name(row))
        figures.append(
            f"<figure><figcaption>{name} <span class=note>{score:.3f} nats</span></figcaption>"
            f"{_drawn(canvas, picture, strength, name)}"
            f"<details><summary>numbers</summary>{_numbers(canvas, own, strength, name)}</details>"
            "</figure>"
        )
    return f"<div>{''.join(figures)}</div>"


def _drawn(canvas: Canvas, picture: str, strength: NDArray[np.float64], name: str) -> str:
    Y, X = canvas.picture.shape[:2]
    scale = min(_WIDE / X, _HIGH / Y)
    wide, high = (_WIDE, _HIGH) if canvas.upwards else (X * scale, Y * scale)
    lefts, tops = _places(canvas)
    rects = []
    for row, column in zip(*np.nonzero(strength), strict=True):
        weight = float(strength[row, column])
        colour = hexadecimal(FOR if weight > 0 else AGAINST)
        left, top = lefts[column] * wide, tops[row] * high
        across = (lefts[column + 1] - lefts[column]) * wide
        down = (tops[row + 1] - tops[row]) * high
        rects.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{across:.1f}" height="{down:.1f}" '
            f'fill="{colour}" fill-opacity="{_STRONGEST * abs(weight):.2f}"/>'
        )
    axes = ""
    if canvas.upwards:
        axes = (
            f'<text x="0" y="{high + 14:.0f}">0 s</text>'
            f'<text x="{wide:.0f}" y="{high + 14:.0f}" text-anchor="end">'
            f"{canvas.column_edges[-1]:.2f} s</text>"
            f'<text x="{wide + 4:.0f}" y="10">{canvas.row_edges[-1]:.0f} Hz</text>'
            f'<text x="{wide + 4:.0f}" y="{high:.0f}">{canvas.row_edges[0]:.0f} Hz</text>'
        )
    room = (wide + 60, high + 18) if canvas.upwards else (wide, high)
    return (
        f'<svg role="img" aria-label="weights of {name}" width="{room[0]:.0f}" '
        f'height="{room[1]:.0f}" viewBox="0 0 {room[0]:.0f} {room[1]:.0f}" font-size="11" '
        'fill="currentColor">'
        f'<image href="data:image/png;base64,{picture}" width="{wide:.1f}" height="{high:.1f}" '
        'preserveAspectRatio="none" opacity="0.55" style="image-rendering:pixelated"/>'
        f"{''.join(rects)}{axes}</svg>"
    )


def _places(canvas: Canvas) -> tuple[list[float], list[float]]:
    """Edges of columns and rows from 0 to 1, rows from above."""
    Y, X = canvas.picture.shape[:2]
    lefts = [place / X for place in edges(X, canvas.columns)]
    tops = [place / Y for place in edges(Y, canvas.rows)]
    return lefts, [1 - top for top in tops[::-1]] if canvas.upwards else tops


def _numbers(
    canvas: Canvas, weights: NDArray[np.float64], strength: NDArray[np.float64], name: str
) -> str:
    unit = "s" if canvas.across == "seconds" else "px"
    columns = "".join(
        f'<th scope="col">{edge:.4g} {unit}</th>' for edge in canvas.column_edges[:-1]
    )
    edges = canvas.row_edges[:-1]
    lows = edges[::-1] if canvas.upwards else edges
    down = "Hz" if canvas.upwards else "px"
    lines = []
    for low, own in zip(lows, weights, strict=True):
        cells = "".join(f'<td class="plain">{weight:.3g}</td>' for weight in own.tolist())
        lines.append(f'<tr><th scope="row">{low:.4g} {down}</th>{cells}</tr>')
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="numbers of {name}"><table>'
        f"<thead><tr><td class=plain></td>{columns}</tr></thead><tbody>{''.join(lines)}</tbody>"
        "</table></div>"
    )


def png(picture: NDArray[np.uint8]) -> bytes:
    """Uint8 ``[Y, X]`` or ``[Y, X, 3]`` as a PNG file (ISO/IEC 15948)."""
    Y, X = picture.shape[:2]
    colour = 0 if picture.ndim == 2 else 2
    lines = np.ascontiguousarray(picture).reshape(Y, -1)
    raw = np.concatenate([np.zeros((Y, 1), np.uint8), lines], axis=1)  # no filter
    header = struct.pack(">IIBBBBB", X, Y, 8, colour, 0, 0, 0)
    chunks = (("IHDR", header), ("IDAT", zlib.compress(raw.tobytes(), 6)), ("IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name.encode(), data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)
