"""Weights as colours: red speaks for, blue against, white says nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transduce.drawing.figures import FIRST, OTHER, rgb
from transduce.drawing.labels import readable

__all__ = ["AGAINST", "FOR", "hexadecimal", "row_name", "scaled", "shade"]

FOR, AGAINST = rgb(FIRST), rgb(OTHER)
_WHITE = (255, 255, 255)


def scaled(weights: ArrayLike) -> NDArray[np.float64]:
    """Each row ``[U]`` divided by its own largest size, from -1 to 1; of zeros zeros."""
    values = np.asarray(weights, dtype=np.float64)
    axes = tuple(range(1, values.ndim))
    largest = np.abs(values).max(axis=axes, keepdims=True, initial=0.0)
    shares: NDArray[np.float64] = values / np.where(largest > 0, largest, 1.0)
    return shares


def shade(weight: float) -> tuple[int, int, int]:
    """The colour of a weight from -1 to 1 on white paper."""
    end = FOR if weight > 0 else AGAINST
    share = min(1.0, abs(weight))
    red, green, blue = (
        round(white + (colour - white) * share) for white, colour in zip(_WHITE, end, strict=True)
    )
    return red, green, blue


def row_name(name: str, longest: int = 60) -> str:
    """What is explained, as it can be seen: a token, or several words (``JH not G``)."""
    shown = readable(name, longest)
    return shown.replace("␣", " ") if " " in name.strip() else shown


def hexadecimal(colour: tuple[int, int, int]) -> str:
    """``#b8452e``."""
    return "#" + "".join(f"{part:02x}" for part in colour)
