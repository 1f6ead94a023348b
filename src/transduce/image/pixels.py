"""Pictures as columns of numbers: PNG, JPEG and WebP files, and arrays.

A picture is unpacked, turned as its camera says, laid on white where it is
transparent, and scaled. What is left are pixels, uint8 ``[Y, X, C]``; of these
:func:`to_frames` makes what a model reads, float32 ``[S, F]`` with S = X columns of
F = C·Y numbers from 0 (paper, which is also what padding is) to 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transduce.config.image import ImageConfig
from transduce.errors import DataError
from transduce.image.picture_files import named, opened, orientation, refuse_endless, refuse_large
from transduce.untrusted.given_arrays import as_array

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Pixels", "array_pixels", "picture_width", "read_pixels", "to_frames"]

Pixels = NDArray[np.uint8]  # [Y, X, C]

_PAPER = 38  # of 255: what differs less from paper is no ink where margins are looked for
_STRIP = 1 << 20  # pixels that are looked at together
# EXIF orientation, 2 to 8, as the PIL.Image.Transpose that undoes it.
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def read_pixels(path: str | Path | bytes, config: ImageConfig) -> Pixels:
    """A picture's pixels, scaled as the config says: uint8 ``[height, X, C]``.

    Bytes are the content of a file.

    Raises DataError naming the file that is missing, empty, damaged, of another format, larger
    than ``max_pixels`` or, where its margins are to be cut off, blank.
    """
    name = str(named(path))
    with opened(path, config) as image:
        refuse_endless(image, path)
        turn = orientation(image)
        if config.trim:
            return _scaled(_turned(_shown(image, config, name), turn), config)
        whole = _turned_size(image.size, turn)
        if image.format == "JPEG":
            # Unpacks a large photograph at a half, a quarter or an eighth of its size.
            width, height = _inner(whole, config)
            image.draft(image.mode, _turned_size((2 * width, 2 * height), turn))
        return _scaled(_turned(_shown(image, config, name), turn), config, whole)


def array_pixels(values: ArrayLike, config: ImageConfig, name: str = "picture") -> Pixels:
    """The same for pixels in memory: ``[Y, X]`` or ``[Y, X, C]`` with 1, 3 or 4 channels.

    Either uint8 or floats from 0 (black) to 1, or a picture of PIL of any mode. Raises DataError
    where they are not.
    """
    from PIL import Image  # lazy: an extra

    opened: Any = values
    if isinstance(opened, Image.Image):
        refuse_large(opened.size, config, name)
        return _scaled(_turned(_shown(opened, config, name), orientation(opened)), config)
    array = as_array(values, name)
    if array.ndim in (2, 3) and array.size:
        refuse_large((array.shape[1], array.shape[0]), config, name)
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if not shaped or not array.size:
        raise DataError(
            f"{name} must be [height, width] or [height, width, 1, 3 or 4], none of them 0; "
            f"got {list(array.shape)}"
        )
    if array.dtype.kind == "f":
        if not (array.min() >= 0 and array.max() <= 1):
            raise DataError(f"{name} of floats must lie between 0 and 1; got others")
        array = np.round(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise DataError(f"{name} must be uint8 or floats from 0 to 1; got {array.dtype}")
    plain = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    return _scaled(_shown(Image.fromarray(plain), config, name), config)


def picture_width(path: str | Path, config: ImageConfig) -> int:
    """Columns that :func:`read_pixels` gives, from the file's header alone where that tells.

    Raises DataError as there.
    """
    if config.width is not None:
        return config.width
    if config.trim:
        return int(read_pixels(path, config).shape[1])
    with opened(path, config) as image:
        return _inner(_turned_size(image.size, orientation(image)), config)[0]


def to_frames(pixels: Pixels, config: ImageConfig) -> NDArray[np.float32]:
    """Columns ``[X, C·Y]`` of the pixels ``[Y, X, C]``, each channel from top to bottom."""
    values = pixels.astype(np.float32)
    values /= 255
    if config.invert:
        np.subtract(1, values, out=values)
    if config.stretch:
        palest, strongest = float(values.min()), float(values.max())
        if strongest > palest:
            values = (values - palest) / (strongest - palest)
    Y, X, C = values.shape
    return np.ascontiguousarray(values.transpose(1, 2, 0)).reshape(X, C * Y)


# ---------------------------------------------------------------- pixels


def _shown(image: Image.Image, config: ImageConfig, name: str) -> Image.Image:
    """Grey or RGB on white, without margins where these are to go."""
    image.load()
    if image.mode == "P" and "transparency" in image.info:
        image = _opaque(image)
    return _plain(_trimmed(image, config, name) if config.trim else image, config)


def _turned_size(size: tuple[int, int], turn: int) -> tuple[int, int]:
    """From 5 on width and height change places."""
    return size[::-1] if turn >= 5 else size


def _turned(image: Image.Image, turn: int) -> Image.Image:
    from PIL import Image  # lazy: an extra

    return image if turn == 1 else image.transpose(Image.Transpose[_TURNS[turn]])


def _plain(image: Image.Image, config: ImageConfig) -> Image.Image:
    """Grey (``L``) or ``RGB``, on white where the picture is transparent."""
    from PIL import Image  # lazy: an extra

    mode = "RGB" if config.color else "L"
    if _is_plain(image, mode):
        return image
    plain = Image.new(mode, image.size)
    for top, strip in _plain_strips(image, mode):
        plain.paste(strip, (0, top))
    return plain


def _is_plain(image: Image.Image, mode: str) -> bool:
    return image.mode == mode and "transparency" not in image.info


def _plain_strips(image: Image.Image, mode: str) -> Iterator[tuple[int, Image.Image]]:
    """Some rows at a time, with the number of the first: conversions take several times the memory
    of what they convert.
    """
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        yield top, strip if _is_plain(image, mode) else _plain_strip(strip, mode)


def _plain_strip(image: Image.Image, mode: str) -> Image.Image:
    from PIL import Image  # lazy: an extra

    if image.mode.startswith("I"):  # 16 bits, which a plain conversion would clip
        wide = np.clip(np.asarray(image, dtype=np.int64), 0, 65535)
        return Image.fromarray((wide // 257).astype(np.uint8)).convert(mode)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        clear = image.convert("RGBA")
        paper = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(paper, clear).convert(mode)
    return image.convert(mode)


def _opaque(image: Image.Image) -> Image.Image:
    """A picture with a palette (few colours, many pixels): its colours, each once, on white."""
    from PIL import Image  # lazy: an extra

    colours = image.crop((0, 0, 256, 1))
    colours.putdata(range(256))
    clear = colours.convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    opaque = image.copy()
    del opaque.info["transparency"]
    opaque.putpalette(flat.tobytes())
    return opaque


def _scaled(
    image: Image.Image, config: ImageConfig, whole: tuple[int, int] | None = None
) -> Pixels:
    """Of the size that the config says for it, or for ``whole`` where it was unpacked smaller."""
    from PIL import Image  # lazy: an extra

    width, height = _inner(whole or image.size, config)
    resized = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    canvas = (config.width or width, config.height)
    if canvas != resized.size:
        sheet = Image.new(image.mode, canvas, "white" if config.invert else "black")
        sheet.paste(resized, ((canvas[0] - width) // 2, (canvas[1] - height) // 2))
        resized = sheet
    return np.asarray(resized, dtype=np.uint8).reshape(canvas[1], canvas[0], config.channels)


def _inner(size: tuple[int, int], config: ImageConfig) -> tuple[int, int]:
    """The width and height that a picture of this size is scaled to."""
    width, height = size
    fitting = min(config.height / height, (config.width or config.max_width) / width)
    factor = fitting if config.scale is None else min(config.scale, fitting)
    return (
        min(max(1, round(width * factor)), config.width or config.max_width),
        min(max(1, round(height * factor)), config.height),
    )


def _trimmed(image: Image.Image, config: ImageConfig, name: str) -> Image.Image:
    """Without the rows and columns at the edges that are paper."""
    inked_rows = np.zeros(image.height, np.bool_)
    inked_columns = np.zeros(image.width, np.bool_)
    for top, strip in _plain_strips(image, "RGB" if config.color else "L"):
        values = np.asarray(strip)
        ink = values < 255 - _PAPER if config.invert else values > _PAPER
        if ink.ndim == 3:
            ink = np.logical_or.reduce(ink, axis=2)
        inked_rows[top : top + len(ink)] = np.logical_or.reduce(ink, axis=1)
        inked_columns |= np.logical_or.reduce(ink, axis=0)
    rows, columns = np.flatnonzero(inked_rows), np.flatnonzero(inked_columns)
    if not len(rows):
        raise DataError("picture must show something; got a blank one", file=name)
    return image.crop((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
