"""What a picture's file may cost: sizes are known before anything is unpacked."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from measured import MOST_BYTES, MOST_SECONDS, OF_TORCH, measured
from transduce.config.image import ImageConfig
from transduce.errors import DataError, one_line
from transduce.image.picture_files import refuse_large
from transduce.image.pixels import array_pixels, read_pixels
from transduce.image.reader import ImageReader

Image = pytest.importorskip("PIL.Image")
PngInfo = pytest.importorskip("PIL.PngImagePlugin").PngInfo

SMALL = ImageConfig(height=16)


def sheet() -> Image.Image:
    """White with a black square near one corner."""
    image = Image.new("RGB", (40, 32), "white")
    image.paste("black", (5, 5, 20, 20))
    return image


def encoded(image: Image.Image, form: str, **options: object) -> bytearray:
    file = io.BytesIO()
    image.save(file, form, **options)
    return bytearray(file.getvalue())


def write(path: Path, data: bytes | bytearray) -> Path:
    path.write_bytes(data)
    return path


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        ImageReader(ImageConfig.model_validate({"height": 16, **options})).read(path)
    return str(caught.value).removeprefix(one_line(f"{path}: "))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(png: bytearray, kind: bytes, data: bytes) -> bytes:
    """Behind the header, before the pixels."""
    return bytes(png[:33]) + chunk(kind, data) + bytes(png[33:])


# ---------------------------------------------------------------- what is said beside the pixels


def packed_text(size: int) -> bytes:
    return b"Comment\0\0" + zlib.compress(b"x" * size)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (b"zTXt", packed_text(3_000_000)),
        (b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b"x" * 3_000_000)),
        (b"iCCP", b"profile\0\0" + zlib.compress(b"x" * 3_000_000)),
        (b"tEXt", b"no key"),
        (b"eXIf", b"Exif, but none"),
        (b"eXIf", b"II*\0" + struct.pack("<IH", 8, 65_535)),
        (b"acTL", b"\0" * 3),
        (b"fcTL", b""),
        (b"gAMA", b""),
    ],
)
def test_odd_chunks_of_a_png_change_nothing(tmp_path: Path, kind: bytes, data: bytes) -> None:
    png = encoded(sheet(), "PNG")
    expected = read_pixels(write(tmp_path / "a.png", png), SMALL)
    path = write(tmp_path / "b.png", with_chunk(png, kind, data))
    np.testing.assert_array_equal(read_pixels(path, SMALL), expected)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0none", b"MM\0*\0\0", b"II*\0\xff\xff\xff\xff", b"x"])
def test_exif_that_is_none_changes_nothing(tmp_path: Path, form: str, exif: bytes) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    plain = write(tmp_path / "a", encoded(sheet(), form, **options))
    odd = write(tmp_path / "b", encoded(sheet(), form, exif=exif, **options))
    np.testing.assert_array_equal(read_pixels(odd, SMALL), read_pixels(plain, SMALL))


@pytest.mark.parametrize(
    "kind_and_data",
    [
        b"\xe1"
        + b"Exif\0\0II*\0\x08\0\0\0\1\0\x1a\1\5\0\1\0\0\0\xff\xff\xff\xff",  # a resolution nowhere
        b"\xe2" + b"ICC_PROFILE\0\1\1nonsense",
        b"\xe2" + b"MPF\0II*\0" + bytes(10),
        b"\xed" + b"Photoshop 3.0\x008BIM",
        b"\xfe" + b"a note",
    ],
)
def test_what_describes_a_jpeg_changes_nothing(
    tmp_path: Path, kind_and_data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    jpeg = encoded(sheet(), "JPEG")
    expected = read_pixels(write(tmp_path / "a.jpg", jpeg), SMALL)
    kind, data = kind_and_data[:1], kind_and_data[1:]
    odd = jpeg[:2] + b"\xff" + kind + struct.pack(">H", 2 + len(data)) + data + jpeg[2:]
    np.testing.assert_array_equal(read_pixels(write(tmp_path / "b.jpg", odd), SMALL), expected)
    assert capfd.readouterr().err == ""


def test_pixels_that_are_no_array_are_told() -> None:
    with pytest.raises(DataError, match="picture must be an array of numbers; got: setting an"):
        array_pixels([[1], [1, 2]], SMALL)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_read(tmp_path: Path, form: str, turn: int, order: str) -> None:
    """By the library's own reading of EXIF, in both orders of bytes."""
    from PIL import ImageOps

    head = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, turn, 0)
    exif = head + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)
    options = {"lossless": True} if form == "WEBP" else {}
    path = write(tmp_path / "a", encoded(sheet(), form, exif=b"Exif\0\0" + exif, **options))
    config = ImageConfig(height=32, max_width=400)
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("L")
    expected = read_pixels(write(tmp_path / "b.png", encoded(upright, "PNG")), config)
    found = read_pixels(path, config)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected.astype(int)).mean() < 8  # JPEG is drafted


def test_only_the_first_of_several_pictures_is_seen(tmp_path: Path) -> None:
    for form in ("PNG", "WEBP"):
        still = write(tmp_path / "a", encoded(sheet(), form))
        options = {"save_all": True, "append_images": [sheet().rotate(180)], "duration": 9}
        moving = write(tmp_path / "b", encoded(sheet(), form, **options))
        first, other = read_pixels(moving, SMALL), read_pixels(still, SMALL)
        assert np.abs(first.astype(int) - other.astype(int)).mean() < 4


# ---------------------------------------------------------------- sizes


def test_pixels_are_counted_before_they_are_unpacked(tmp_path: Path) -> None:
    png = encoded(sheet(), "PNG")
    png[16:24] = struct.pack(">II", 100_000, 100_000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    message = "picture must have at most 40,000,000 pixels (max_pixels); got 100,000 x 100,000"
    assert refusal(write(tmp_path / "a.png", png)) == message
    jpeg = encoded(sheet(), "JPEG")
    place = jpeg.index(b"\xff\xc0")
    jpeg[place + 5 : place + 9] = struct.pack(">HH", 60_000, 60_000)
    assert refusal(write(tmp_path / "a.jpg", jpeg)).endswith("got 60,000 x 60,000")


def test_a_webp_is_measured_before_its_library_sees_it(tmp_path: Path) -> None:
    """It asks for several times the canvas as soon as it is called."""
    large = encoded(Image.new("1", (16_383, 1100)).convert("RGB"), "WEBP", lossless=True)
    message = "picture must have at most 16,777,216 pixels in WebP (max_pixels); got 16,383 x 1,100"
    assert refusal(write(tmp_path / "a.webp", large)) == message
    canvas = struct.pack("<I", 0)[:4] + b"\xff\xff\xff" * 2
    odd = b"RIFF" + struct.pack("<I", 40) + b"WEBPVP8X" + struct.pack("<I", 10) + canvas + bytes(18)
    found = refusal(write(tmp_path / "b.webp", odd))
    assert found.endswith("got 16,777,216 x 16,777,216")
    cut = write(tmp_path / "c.webp", large[:25])
    assert refusal(cut).startswith("picture must be whole; got a damaged file (header")


def test_a_picture_without_pixels(tmp_path: Path) -> None:
    png = encoded(sheet(), "PNG")
    png[16:20] = bytes(4)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    assert refusal(write(tmp_path / "a.png", png)).startswith("picture must be whole; got")
    with pytest.raises(DataError, match="picture must have pixels; got 0 x 32"):
        refuse_large((0, 32), SMALL, "picture")
    assert ImageReader(SMALL).read(np.ones((5, 5), np.float32)).shape == (16, 16)
    with pytest.raises(DataError, match="none of them 0"):
        ImageReader(SMALL).read(np.ones((5, 0), np.float32))
    with pytest.raises(DataError, match=r"at most 100 pixels \(max_pixels\); got 11 x 10"):
        ImageReader(ImageConfig(max_pixels=100)).read(np.ones((10, 11)))


def test_a_jpeg_of_endless_scans(tmp_path: Path) -> None:
    jpeg = encoded(sheet(), "JPEG", progressive=True)
    first, *scans = bytes(jpeg[:-2]).split(b"\xff\xda")
    many = b"\xff\xda".join([first, *scans, *[scans[-1]] * 70]) + b"\xff\xd9"
    path = write(tmp_path / "a.jpg", many)
    assert refusal(path).startswith("picture must have at most 64 scans of its pixels; got ")
    behind = write(tmp_path / "b.jpg", bytes(jpeg) + b"\xff\xda" * 100)  # a film, a second picture
    assert read_pixels(behind, SMALL).shape == (16, 20, 1)


def test_a_png_of_endless_chunks(tmp_path: Path) -> None:
    png = encoded(sheet(), "PNG")
    path = write(tmp_path / "a.png", bytes(png[:33]) + chunk(b"tIME", b"") * 100_000)
    assert refusal(path) == "picture must have at most 100,000 chunks; got more"


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", encoded(sheet(), "PNG"))
    with path.open("r+b") as file:
        file.truncate((1 << 27) + 1)
    assert refusal(path) == "picture must be a file of at most 128 MiB; got 134,217,729 bytes"


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    message = "picture must be a readable file; got "
    assert refusal(tmp_path / "a.png") == f"{message}a pipe: give it as standard input"
    assert refusal(Path("/dev/zero")) == f"{message}a device"
    assert refusal(tmp_path / "a\0.png") == f"{message}a name that no file can have"
    assert refusal(tmp_path / ("a" * 1000)) == f"{message}File name too long"
    with pytest.raises(DataError, match="a name that no file can have"):
        ImageReader(SMALL).length("\ud800.png")


_READ = """
import sys
from transduce.config.image import ImageConfig
from transduce.image.reader import ImageReader
from transduce.errors import DataError
try:
    ImageReader(ImageConfig(height=16, trim=True, color=True)).read(sys.argv[1])
except DataError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("name", ["blank.png", "turned.jpg"])
def test_a_hostile_picture_costs_little(tmp_path: Path, name: str) -> None:
    """The most pixels that are permitted, nothing on them, and all that has to be copied."""
    exif = Image.Exif()
    exif[0x0112] = 6
    if name == "turned.jpg":
        data = encoded(Image.new("RGB", (8000, 5000), "white"), "JPEG", exif=exif.tobytes())
    else:
        blank = Image.new("RGBA", (8000, 5000), "white")
        data = encoded(blank, "PNG", exif=exif.tobytes(), compress_level=1)
    found = measured([sys.executable, "-c", _READ, str(write(tmp_path / name, data))], seconds=120)
    assert found.status == 1, found
    assert "picture must" in found.last_line
    assert found.peak < MOST_BYTES - OF_TORCH, found
    assert found.seconds < MOST_SECONDS, found
