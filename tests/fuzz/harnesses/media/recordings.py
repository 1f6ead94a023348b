"""Recordings: WAV, FLAC, OGG, MP3 and others, joined and cut, read as several configs say."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.harness import Files, Harness, Mutation, WrongAnswerError, lay
from fuzz.mutations.chunks import ogg_pages
from fuzz.mutations.octets import at_start, octets, several
from fuzz.mutations.values import json_with
from transduce.config.recipe import Config

_OPTIONS = "options.json"
_CONFIGS: list[dict[str, Any]] = [
    {"sampling_rate": 8000},
    {"sampling_rate": 16_000, "scale": "natural", "normalization": "bin", "cut_at": 1.0},
    {"sampling_rate": 8000, "pad_to": 1.0, "source": "{}|0.1|{}"},
    {"sampling_rate": 4000, "augmentation": {"speed": 0.1, "gain": 6, "noise": 0.1, "warp": 0.1,
                                             "color": 3, "time_masks": 1, "frequency_masks": 1}},
]  # fmt: skip


def _sounds(rate: int, channels: int, **written: Any) -> bytes:
    import soundfile

    time = np.arange(rate // 5) / rate
    tone = 0.5 * np.sin(2 * np.pi * 300 * time) * (time < 0.15)
    out = io.BytesIO()
    soundfile.write(out, np.stack([tone] * channels, 1), rate, **written)
    return out.getvalue()


_WAV = ("PCM_16", "PCM_U8", "PCM_24", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM", "GSM610")
_FORMATS: dict[str, list[dict[str, Any]]] = {
    "wav": [
        *({"format": "WAV", "subtype": kind} for kind in _WAV),
        *({"format": kind} for kind in ("WAVEX", "RF64", "AIFF", "AU")),
    ],
    "flac": [{"format": "FLAC", "subtype": kind} for kind in ("PCM_16", "PCM_24")],
    "ogg": [{"format": "OGG", "subtype": kind} for kind in ("VORBIS", "OPUS")],
    "mp3": [{"format": "MP3"}],
}  # fmt: skip


def _samples(kind: str) -> list[Files]:
    found = []
    for number, written in enumerate(_FORMATS[kind]):
        channels = 1 if written.get("subtype") == "GSM610" else 1 + number % 2
        sound = _sounds(8000, channels, **written)
        options = _CONFIGS[number % len(_CONFIGS)]
        found.append({"a": sound, _OPTIONS: json.dumps(options).encode()})
    return found


def feed(files: Files, folder: Path) -> object:
    """Length, frames, segments and changed frames of a recording."""
    from transduce.audio.reader import AudioReader

    lay(files, folder)
    try:
        values = json.loads(files.get(_OPTIONS, b"{}"))
    except (ValueError, RecursionError):
        values = {}
    values = values if isinstance(values, dict) else {"hop": values}
    source = str(values.pop("source", "{}")).replace("{}", str(folder / "a"))
    config = Config.from_mapping({"data": {"input": {**values, "kind": "audio"}}}).data.input
    reader = AudioReader(config)
    length, frames = reader.length(source), reader.read(source)
    if frames.shape[1] != reader.features or not np.isfinite(frames).all():
        raise WrongAnswerError(f"frames must be finite, [S, {reader.features}]; {frames.shape}")
    segments = [each.frames for each in reader.segments(source)]
    changed = reader.augmented(source, 1, 2, 3)
    if not np.isfinite(changed).all():
        raise WrongAnswerError("changed frames must be finite")
    return length == len(frames), len(segments) > 1, len(frames) > 100


_CHANGE: Mutation = json_with(
    *("{}", "{}|{}", "{}|0.3|{}", "{}|3599", "|", "{}|", "0.5|0.5", "{}|nan", "{}|1e9"),
    *("whisper", "natural", "none", "recording", "bin", 1, 0.01, 0.025, 8000, 768_000, 512),
)
_MUTATIONS: dict[str, Mutation] = {
    "wav": several(octets, at_start(80)),
    "flac": several(octets, at_start(90)),
    "ogg": several(ogg_pages, octets),
    "mp3": octets,
}

HARNESSES = [
    Harness(
        kind,
        partial(_samples, kind),
        {_OPTIONS: _CHANGE, "*": mutation},
        feed,
        quick=60,
        needs=("soundfile", "soxr"),
    )
    for kind, mutation in _MUTATIONS.items()
]
