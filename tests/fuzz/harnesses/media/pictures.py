"""Pictures: PNG, JPEG, WebP, and what only calls itself so; read as several configs say."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

from fuzz.feeding.options import WORDS
from fuzz.harness import Files, Harness, Mutation, WrongAnswerError, lay
from fuzz.mutations.chunks import png_chunks
from fuzz.mutations.octets import at_start, octets, several
from fuzz.mutations.values import json_with
from transduce.config.recipe import Config

_OPTIONS = "options.json"
_CONFIGS: list[dict[str, Any]] = [
    {},
    {"height": 8, "color": True},
    {"height": 8, "width": 20, "trim": True},
    {"height": 16, "stretch": True, "invert": False, "scale": 0.5},
    {"augmentation": {"rotation": 5, "shift": 0.1, "noise": 0.1, "scale": 0.2, "slant": 3}},
]


def _drawn(mode: str, kind: str, **options: Any) -> bytes:
    from PIL import Image

    picture = Image.new("L", (24, 9), 255)
    picture.paste(0, (3, 2, 6, 8))
    picture.paste(120, (10, 1, 20, 3))
    if mode == "I;16":
        picture = picture.convert("I;16")
    elif mode == "RGBA":
        picture = picture.convert("RGBA")
        picture.putalpha(100)
    else:
        picture = picture.convert(mode)
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def _turned(kind: str) -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    return _drawn("RGB", kind, exif=exif.tobytes())


def _samples(kind: str) -> list[Files]:
    pictures = {
        "png": lambda: [
            *(_drawn(mode, "png") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
            _drawn("P", "png", transparency=3),
            _turned("png"),
        ],
        "jpeg": lambda: [
            *(_drawn(mode, "jpeg") for mode in ("L", "RGB", "CMYK")),
            _drawn("RGB", "jpeg", progressive=True, quality=10),
            _turned("jpeg"),
        ],
        "webp": lambda: [
            _drawn("RGB", "webp"),
            _drawn("RGBA", "webp", lossless=True),
            _turned("webp"),
        ],
    }[kind]()
    options = [json.dumps(config).encode() for config in _CONFIGS]
    return [
        {"a": picture, _OPTIONS: options[number % len(options)]}
        for number, picture in enumerate(pictures)
    ]


def feed(files: Files, folder: Path) -> object:
    """Length, frames and changed frames of a picture."""
    from transduce.image.reader import ImageReader

    lay(files, folder)
    try:
        values = json.loads(files.get(_OPTIONS, b"{}"))
    except (ValueError, RecursionError):
        values = {}
    values = values if isinstance(values, dict) else {"height": values}
    config = Config.from_mapping({"data": {"input": {**values, "kind": "image"}}}).data.input
    reader = ImageReader(config)
    path = str(folder / "a")
    length, frames = reader.length(path), reader.read(path)
    if frames.shape != (length, reader.features):
        raise WrongAnswerError(f"{length} columns by the header, {frames.shape} read")
    if not (frames.min() >= 0 and frames.max() <= 1):
        raise WrongAnswerError("frames must lie between 0 and 1")
    changed = reader.augmented(path, 1, 2, 3)
    return length > 24, config.color, len(changed) > length


_CHANGE: Mutation = json_with(*WORDS, 1, 8, 4096, 65_536, 1 << 26)
_MUTATIONS: dict[str, Mutation] = {
    "png": several(png_chunks, octets),
    "jpeg": several(octets, at_start(300)),
    "webp": several(octets, at_start(64)),
}

HARNESSES = [
    Harness(
        kind,
        partial(_samples, kind),
        {_OPTIONS: _CHANGE, "*": mutation},
        feed,
        quick=200,
        needs=("PIL",),
    )
    for kind, mutation in _MUTATIONS.items()
]
