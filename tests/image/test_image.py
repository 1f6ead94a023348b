from __future__ import annotations

import random
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from transduce.config.image import ImageConfig
from transduce.errors import DataError
from transduce.image.pixels import array_pixels, picture_width, read_pixels, to_frames

KEEP = ImageConfig(height=8)  # the height of the pictures below: nothing is scaled


def drawing(width: int = 12, height: int = 8) -> np.ndarray:
    """White with a black stroke down its left side and a grey dot at the lower right."""
    pixels = np.full((height, width), 255, np.uint8)
    pixels[1:-1, 1] = 0
    pixels[-2, -2] = 128
    return pixels


def saved(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_each_format_is_read(tmp_path: Path, suffix: str) -> None:
    options = {"webp": {"lossless": True}, "jpg": {"quality": 100}}.get(suffix, {})
    path = saved(tmp_path / f"a.{suffix}", Image.fromarray(drawing()), **options)
    pixels = read_pixels(path, KEEP)
    assert pixels.shape == (8, 12, 1)
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels[..., 0].astype(int), drawing(), atol=3)


def test_the_content_tells_the_format_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    Image.fromarray(drawing()).save(path, format="png")
    assert read_pixels(path, KEEP).shape == (8, 12, 1)


def test_frames_are_columns_and_paper_is_zero() -> None:
    frames = to_frames(drawing()[..., None], KEEP)
    assert frames.shape == (12, 8)
    assert frames.dtype == np.float32
    assert frames[1].tolist() == [0, 1, 1, 1, 1, 1, 1, 0]
    assert frames[0].tolist() == [0] * 8
    assert frames[10, 6] == pytest.approx(127 / 255)
    black_paper = to_frames(255 - drawing()[..., None], KEEP.model_copy(update={"invert": False}))
    np.testing.assert_allclose(black_paper, frames)


def test_a_column_of_a_coloured_picture_is_red_then_green_then_blue(tmp_path: Path) -> None:
    colours = np.zeros((2, 1, 3), np.uint8)
    colours[0, 0], colours[1, 0] = (255, 0, 51), (0, 255, 102)
    config = ImageConfig(height=2, color=True, invert=False)
    pixels = read_pixels(saved(tmp_path / "a.png", Image.fromarray(colours)), config)
    np.testing.assert_allclose(to_frames(pixels, config), [[1, 0, 0, 1, 0.2, 0.4]])
    assert config.features == 6


def test_stretch_uses_the_whole_range() -> None:
    faint = np.array([[200, 180], [190, 200]], np.uint8)[..., None]
    config = ImageConfig(height=2, stretch=True)
    np.testing.assert_allclose(to_frames(faint, config), [[0, 0.5], [1, 0]], atol=1e-6)
    even = to_frames(np.full((2, 2, 1), 255, np.uint8), config)
    assert even.tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_as_their_camera_says(tmp_path: Path, orientation: int, suffix: str) -> None:
    # What each value means, by the EXIF standard: where row 0 and column 0 of the file belong.
    upright = drawing()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"webp": {"lossless": True}, "jpg": {"quality": 100}}.get(suffix, {})
    image = Image.fromarray(np.ascontiguousarray(stored))
    path = saved(tmp_path / f"a.{suffix}", image, exif=exif, **options)
    pixels = read_pixels(path, KEEP)
    np.testing.assert_allclose(pixels[..., 0].astype(int), upright, atol=3)
    assert picture_width(path, KEEP) == 12


def transparent(mode: str) -> Image.Image:
    """Black everywhere, but only the stroke is opaque."""
    alpha = Image.fromarray(255 - drawing())
    if mode == "P":
        image = Image.new("P", alpha.size)
        image.putpalette([0, 0, 0, 0, 0, 0])
        image.putdata([int(a > 0) for a in alpha.tobytes()])
        image.info["transparency"] = bytes([0, 255])
        return image
    image = Image.new(mode, alpha.size)
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("color", [False, True])
def test_what_is_transparent_is_paper(tmp_path: Path, mode: str, color: bool) -> None:
    path = saved(tmp_path / "a.png", transparent(mode))
    pixels = read_pixels(path, KEEP.model_copy(update={"color": color}))
    assert (pixels[1:-1, 1] == 0).all()
    assert (pixels[:, 3:-2] == 255).all()


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "I;16"])
def test_other_modes(tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(drawing().astype(np.uint16) * 257)
    else:
        image = Image.fromarray(drawing()).convert(mode)
    path = saved(tmp_path / ("a.jpg" if mode == "CMYK" else "a.png"), image)
    pixels = read_pixels(path, KEEP)[..., 0]
    assert (pixels[2:-2, 1] < 40).all()
    assert (pixels[:, 4:8] > 215).all()


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("size", "options", "inner"),
    [
        ((30, 10), {"height": 20}, (60, 20)),  # fills the height
        ((30, 10), {"height": 5}, (15, 5)),
        ((30, 10), {"height": 20, "scale": 0.5}, (15, 5)),  # as it is printed
        ((30, 80), {"height": 20, "scale": 0.5}, (8, 20)),  # too high: smaller
        ((30, 10), {"height": 20, "width": 20}, (20, 7)),  # fits into both
        ((4, 10), {"height": 20, "width": 20}, (8, 20)),
        ((900, 1), {"height": 20, "max_width": 100}, (100, 1)),  # a hair, not a bomb
        ((1, 900), {"height": 20}, (1, 20)),
    ],
)
def test_sizes(tmp_path: Path, size, options, inner) -> None:
    config = ImageConfig(**options)
    path = saved(tmp_path / "a.png", Image.new("L", size, 0))
    pixels = read_pixels(path, config)
    width = config.width or inner[0]
    assert pixels.shape == (20 if config.height == 20 else 5, width, 1)
    assert picture_width(path, config) == width
    black = np.argwhere(pixels[..., 0] < 128)
    assert (black.max(axis=0) - black.min(axis=0) + 1).tolist() == [inner[1], inner[0]]
    before, after = black.min(axis=0), np.array(pixels.shape[:2]) - 1 - black.max(axis=0)
    assert (after - before).tolist() == [(config.height - inner[1]) % 2, (width - inner[0]) % 2]


@given(st.integers(1, 400), st.integers(1, 400), st.booleans(), st.sampled_from([None, 0.3, 2.0]))
def test_the_header_tells_the_width(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, color: bool, scale
) -> None:
    config = ImageConfig(height=16, max_width=200, scale=scale, color=color)
    path = tmp_path_factory.getbasetemp() / "width.png"
    Image.new("L", (width, height), 90).save(path)
    assert picture_width(path, config) == read_pixels(path, config).shape[1] <= 200


def test_large_photographs_are_unpacked_small_and_alike(tmp_path: Path) -> None:
    gradient = np.linspace(0, 255, 1600).astype(np.uint8)
    photograph = np.broadcast_to(gradient, (1200, 1600))
    path = saved(tmp_path / "a.jpg", Image.fromarray(photograph.copy()), quality=95)
    config = ImageConfig(height=30)
    assert picture_width(path, config) == 40
    found = read_pixels(path, config)[..., 0].astype(int)
    np.testing.assert_allclose(found, array_pixels(photograph, config)[..., 0], atol=4)


def test_what_is_unpacked_small_has_the_width_of_the_whole(tmp_path: Path) -> None:
    for width in range(20, 30):
        blank = Image.new("L", (width, 9), 255)
        path = saved(tmp_path / f"{width}.jpg", blank)
        config = ImageConfig(height=1)
        assert picture_width(path, config) == round(width / 9) == read_pixels(path, config).shape[1]


def test_margins_are_cut_off(tmp_path: Path) -> None:
    page = np.full((300, 200), 255, np.uint8)
    page[40:60, 50:90] = 0
    path = saved(tmp_path / "page.png", Image.fromarray(page))
    config = ImageConfig(height=20, trim=True)
    pixels = read_pixels(path, config)
    assert pixels.shape == (20, 40, 1)
    assert (pixels == 0).all()
    assert picture_width(path, config) == 40
    negative = saved(tmp_path / "negative.png", Image.fromarray(255 - page))
    black = config.model_copy(update={"invert": False})
    assert read_pixels(negative, black).shape == (20, 40, 1)


# ---------------------------------------------------------------- arrays


@pytest.mark.parametrize("shape", [(8, 12), (8, 12, 1), (8, 12, 3), (8, 12, 4)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_arrays(shape: tuple[int, ...], kind: type) -> None:
    array = np.zeros(shape, np.uint8)
    array[:] = drawing().reshape(8, 12, *[1] * (len(shape) - 2))
    if shape[2:] == (4,):
        array[..., 3] = 255
    values = array if kind is np.uint8 else (array / 255).astype(kind)
    np.testing.assert_allclose(array_pixels(values, KEEP)[..., 0], drawing(), atol=1)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(4), r"\[height, width, 1, 3 or 4\], none of them 0; got \[4\]"),
        (np.zeros((2, 2, 2)), r"got \[2, 2, 2\]"),
        (np.zeros((0, 2)), r"got \[0, 2\]"),
        (np.full((2, 2), 1.5), "must lie between 0 and 1"),
        (np.full((2, 2), np.nan), "must lie between 0 and 1"),
        (np.zeros((2, 2), np.int64), "must be uint8 or floats from 0 to 1; got int64"),
    ],
)
def test_arrays_that_are_no_pictures(array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        array_pixels(array, KEEP)


# ---------------------------------------------------------------- files that cannot be used


def refused(path: Path, config: ImageConfig = KEEP) -> str:
    """What reading says, which is what looking at the header says where that fails too."""
    with pytest.raises(DataError) as caught:
        read_pixels(path, config)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_missing_empty_and_other_files(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.png") == (
        "picture must be a readable file; got No such file or directory"
    )
    assert refused(tmp_path) == "picture must be a readable file; got Is a directory"
    empty = tmp_path / "empty.png"
    empty.touch()
    assert refused(empty) == "picture must be a PNG, JPEG or WebP file; got an empty file"
    text = tmp_path / "text.png"
    text.write_text("frog")
    assert refused(text) == "picture must be a PNG, JPEG or WebP file; got another format"
    bitmap = saved(tmp_path / "a.bmp", Image.fromarray(drawing()))
    assert refused(bitmap) == "picture must be a PNG, JPEG or WebP file; got another format"


def test_blank_pages_have_no_margins_to_cut(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.new("L", (30, 30), 255))
    trimming = ImageConfig(height=8, trim=True)
    assert refused(path, trimming) == "picture must show something; got a blank one"
    assert (read_pixels(path, KEEP) == 255).all()  # and without trimming it is a picture


@pytest.mark.parametrize("size", [(4000, 3000), (30_000, 30_000)])
def test_huge_pictures_are_not_unpacked(tmp_path: Path, size: tuple[int, int]) -> None:
    small = BytesIO()
    Image.new("1", (1, 1)).save(small, format="png")
    header = b"IHDR" + size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big") + b"\1\0\0\0\0"
    crc = zlib.crc32(header).to_bytes(4, "big")
    data = small.getvalue()
    path = tmp_path / "bomb.png"
    path.write_bytes(data[:12] + header + crc + data[33:])
    config = ImageConfig(height=8, max_pixels=10_000_000)
    expected = (
        f"picture must have at most 10,000,000 pixels (max_pixels); got {size[0]:,} x {size[1]:,}"
    )
    assert refused(path, config) == expected
    with pytest.raises(DataError, match="max_pixels"):
        picture_width(path, config)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_damaged_files_are_named(tmp_path: Path, suffix: str) -> None:
    """Bytes cut off or changed anywhere: a picture or a DataError, never another error."""
    noise = np.random.default_rng(1).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    data = BytesIO()
    Image.fromarray(noise).save(data, format={"jpg": "jpeg"}.get(suffix, suffix))
    whole = data.getvalue()
    chance = random.Random(1)
    path = tmp_path / f"a.{suffix}"
    errors = []
    for trial in range(150):
        broken = bytearray(whole)
        if trial % 3 == 0:
            del broken[chance.randrange(13, len(whole) * 3 // 4) :]
        for _ in range(chance.randrange(1, 20) if trial % 3 else 0):
            broken[chance.randrange(13, 60 if trial % 3 == 1 else len(whole))] ^= 1 << (trial % 8)
        path.write_bytes(broken)
        for read in (read_pixels, picture_width):
            try:
                read(path, KEEP)
            except DataError as error:
                errors.append(str(error))
    assert all(error.startswith(f"{path}: picture must ") for error in errors)
    assert sum("got a damaged file (" in error for error in errors) >= 50
