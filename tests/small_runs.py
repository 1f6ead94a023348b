"""What the tests of this room train: a small recipe as a mapping, pairs as files."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transduce.config import Config
from transduce.training.record.log import read_log
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting.fit import fit
from transduce.workflow.trained import TrainedModel


def words(seed: int, count: int) -> list[str]:
    """Different words of one to five letters."""
    generator = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(generator.choices("abcd", k=generator.randint(1, 5)))] = None
    return list(found)


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def write_reversals(path: Path, texts: Sequence[str]) -> Path:
    return write_lines(path, [f"{text}\t{text[::-1]}" for text in texts])


def tiny(data: dict[str, Any], steps: int = 2, **sections: dict[str, Any]) -> Config:
    """A recipe that trains in a moment."""
    recurrent = {"kind": "gru", "width": 8, "dropout": 0.0}
    values: dict[str, Any] = {
        "data": {key: str(v) if isinstance(v, Path) else v for key, v in data.items()},
        "model": {"encoder": recurrent, "decoder": recurrent},
        "training": {"max_steps": steps, "batch_tokens": 64, "precision": "float32"},
        "search": {"max_length": 6},
    }
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section}
    return Config.from_mapping(values)


def train_tiny(config: Config, folder: Path) -> tuple[TrainedModel, list[str]]:
    """The model and the lines that were said about the data."""
    said: list[str] = []
    return fit(config, open_corpora(config), folder, say=said.append), said


def curve(folder: Path, event: str) -> list[float]:
    """The losses of a run's log, in order: those of each ``step``, or on ``dev``."""
    entries = read_log(folder / "training" / "log.jsonl")
    return [entry["loss"] for entry in entries if entry["event"] == event]
