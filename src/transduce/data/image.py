"""Pictures as columns of numbers: PNG, JPEG and WebP files, and arrays.

A picture is unpacked, turned as its camera says, laid on white where it is
transparent, and scaled. What is left are pixels, uint8 ``[Y, X, C]``; of these
:func:`to_frames` makes what a model reads, float32 ``[S, F]`` with S = X columns of
F = C·Y numbers from 0 (paper, which is also what padding is) to 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transduce.config.image import ImageConfig
from transduce.errors import DataError

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile

__all__ = ["Pixels", "array_pixels", "picture_width", "read_pixels", "to_frames"]

Pixels = NDArray[np.uint8]  # [Y, X, C]

_PAPER = 38  # of 255: what differs less from paper is no ink where margins are looked for
_HEAD = 12  # bytes that tell the format
# EXIF orientation, 2 to 8, as the PIL.Image.Transpose that undoes it.
_ORIENTATION = 0x0112
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def read_pixels(path: str | Path, config: ImageConfig) -> Pixels:
    """A picture's pixels, scaled as the config says: uint8 ``[height, X, C]``.

    Raises DataError naming the file that is missing, empty, damaged, of another format, larger
    than ``max_pixels`` or, where its margins are to be cut off, blank.
    """
    with _opened(path, config) as image:
        turn = _turn(image)
        if not config.trim and image.format == "JPEG":
            # Unpacks a large photograph at a half, a quarter or an eighth of its size.
            width, height = _inner(image.size if not turn[1] else image.size[::-1], config)
            wanted = (2 * width, 2 * height)
            image.draft(image.mode, wanted[::-1] if turn[1] else wanted)
        turned = image.transpose(turn[0]) if turn[0] is not None else image
        return _scaled(_plain(turned, config), config, str(path))


def array_pixels(values: ArrayLike, config: ImageConfig, name: str = "picture") -> Pixels:
    """The same for pixels in memory: ``[Y, X]`` or ``[Y, X, C]`` with 1, 3 or 4 channels.

    Either uint8 or floats from 0 (black) to 1. Raises DataError where they are not.
    """
    from PIL import Image  # lazy: an extra

    array = np.asarray(values)
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
    _refuse_large((plain.shape[1], plain.shape[0]), config, name)
    return _scaled(_plain(Image.fromarray(plain), config), config, name)


def picture_width(path: str | Path, config: ImageConfig) -> int:
    """Columns that :func:`read_pixels` gives, from the file's header alone where that tells.

    Raises DataError as there.
    """
    if config.width is not None:
        return config.width
    if config.trim:
        return int(read_pixels(path, config).shape[1])
    with _opened(path, config) as image:
        size = image.size[::-1] if _turn(image)[1] else image.size
        return _inner(size, config)[0]


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


# ---------------------------------------------------------------- files


@contextmanager
def _opened(path: str | Path, config: ImageConfig) -> Iterator[ImageFile]:
    """The file's picture, only its header read yet; errors of any use become DataError."""
    try:
        with open(path, "rb") as file:
            image = _open(file, path)
            _refuse_large(image.size, config, str(path))
            yield image
    except DataError:
        raise
    except OSError as error:
        if error.errno is not None:
            message = f"picture must be a readable file; got {error.strerror}"
            raise DataError(message, file=path) from None
        raise _damaged(path, error) from None
    except Exception as error:  # whatever a decoder stumbles over, it is the file's fault
        raise _damaged(path, error) from None


def _open(file: BinaryIO, path: str | Path) -> ImageFile:
    """By the formats' own classes: ``PIL.Image.open`` warns of large pictures on its own terms."""
    try:
        from PIL import JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # lazy: an extra
    except ModuleNotFoundError:
        raise DataError(
            "pictures must be read with Pillow, which is not installed: "
            "pip install 'transduce[image]'"
        ) from None
    head = file.read(_HEAD)
    file.seek(0)
    if not head:
        raise DataError("picture must be a PNG, JPEG or WebP file; got an empty file", file=path)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PngImagePlugin.PngImageFile(file)
    if head.startswith(b"\xff\xd8\xff"):
        return JpegImagePlugin.JpegImageFile(file)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile(file)
    raise DataError("picture must be a PNG, JPEG or WebP file; got another format", file=path)


def _damaged(path: str | Path, error: Exception) -> DataError:
    detail = str(error) or type(error).__name__
    return DataError(f"picture must be whole; got a damaged file ({detail})", file=path)


def _refuse_large(size: tuple[int, int], config: ImageConfig, name: str) -> None:
    width, height = size
    if width * height > config.max_pixels:
        raise DataError(
            f"picture must have at most {config.max_pixels:,} pixels (max_pixels); "
            f"got {width:,} x {height:,}",
            file=name,
        )


def _turn(image: ImageFile) -> tuple[Any, bool]:
    """How the picture has to be turned (None: not) and whether its sides change places."""
    from PIL import Image  # lazy: an extra

    # Some PNG files say it after their pixels; those are left as they lie, so that the header
    # alone tells the width.
    if image.format == "PNG" and "exif" not in image.info:
        return None, False
    value = image.getexif().get(_ORIENTATION)
    if not isinstance(value, int) or value not in _TURNS:
        return None, False
    return Image.Transpose[_TURNS[value]], value >= 5


# ---------------------------------------------------------------- pixels


def _plain(image: Image.Image, config: ImageConfig) -> Image.Image:
    """Grey (``L``) or ``RGB``, on white where the picture is transparent."""
    from PIL import Image  # lazy: an extra

    mode = "RGB" if config.color else "L"
    if image.mode == "P" and "transparency" in image.info:
        image = _opaque(image)
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


def _scaled(image: Image.Image, config: ImageConfig, name: str) -> Pixels:
    from PIL import Image  # lazy: an extra

    if config.trim:
        image = _trimmed(image, config, name)
    width, height = _inner(image.size, config)
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
    values = np.asarray(image)
    ink = values < 255 - _PAPER if config.invert else values > _PAPER
    if ink.ndim == 3:
        ink = np.logical_or.reduce(ink, axis=2)
    rows = np.flatnonzero(np.logical_or.reduce(ink, axis=1))
    columns = np.flatnonzero(np.logical_or.reduce(ink, axis=0))
    if not len(rows):
        raise DataError("picture must show something; got a blank one", file=name)
    return image.crop((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
