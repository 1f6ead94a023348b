"""Recordings for tests: each letter is a tone of its own, which a model can learn to hear."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

__all__ = ["LETTERS", "RATE", "spoken", "write_manifest", "write_recording"]

RATE = 8000
LETTERS = "abcd"
_TONES = {"a": 300.0, "b": 600.0, "c": 1200.0, "d": 2400.0}


def spoken(text: str, seed: int = 0) -> np.ndarray:
    """A tone of 0.1 seconds for each letter, a little noise over all, float32 [N]."""
    chance = np.random.default_rng(seed)
    time = np.arange(RATE // 10) / RATE
    edge = np.minimum(1, 20 * np.minimum(time, time[-1] - time))
    tones = [0.5 * edge * np.sin(2 * np.pi * _TONES[letter] * time) for letter in text]
    samples = np.concatenate(tones)
    return (samples + 0.01 * chance.standard_normal(len(samples))).astype(np.float32)


def write_recording(path: Path, text: str, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, spoken(text, seed), RATE)
    return path


def write_manifest(folder: Path, name: str, count: int, *, seed: int = 0, longest: int = 3) -> Path:
    """A TSV of relative paths and texts beside a folder with the recordings."""
    chance = np.random.default_rng(seed)
    lines = []
    for number in range(count):
        text = "".join(chance.choice(list(LETTERS), chance.integers(1, longest + 1)))
        path = write_recording(folder / name / f"{number}.wav", text, seed * 1000 + number)
        lines.append(f"{path.relative_to(folder)}\t{text}\n")
    manifest = folder / f"{name}.tsv"
    manifest.write_text("".join(lines))
    return manifest
