"""How sure a model is: ``confidence.json``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fuzz.harness import Files, Harness, WrongAnswerError, lay
from fuzz.mutations.values import json_with
from transduce.confidence.confidence import NAMES, Confidence
from transduce.confidence.judge import Judge
from transduce.confidence.record import CONFIDENCE, confidence_json, read_confidence


def _judge(names: tuple[str, ...]) -> Judge:
    count = np.arange(len(names), dtype=np.float64)
    return Judge(
        names, count, count + 0.5, -count, 0.25, np.array([0.1, 0.9]), np.array([0.2, 0.8])
    )


def _samples() -> list[Files]:
    judges = {name: _judge(names) for name, names in NAMES.items()}
    plain = {
        name: replace(judge, places=np.zeros(0), heights=np.zeros(0))
        for name, judge in judges.items()
    }
    found = Confidence("right", judges, 200, 4), Confidence("chrf", plain, 10, 1)
    return [{CONFIDENCE: confidence_json(own).encode()} for own in found]


def feed(files: Files, folder: Path) -> object:
    """Read, ask how sure it is of something, write and read again."""
    lay(files, folder)
    found = read_confidence(folder / CONFIDENCE)
    text = confidence_json(found)
    (folder / "again.json").write_text(text)
    if confidence_json(read_confidence(folder / "again.json")) != text:
        raise WrongAnswerError("what was written must be read as it was")
    sizes = []
    for name, names in NAMES.items():
        features = np.random.default_rng(1).normal(size=(3, len(names)))
        shares = found.judges[name].probabilities(features)
        if not (np.isfinite(shares).all() and (shares >= 0).all() and (shares <= 1).all()):
            raise WrongAnswerError("a confidence must be from 0 to 1")
        sizes.append(min(len(found.judges[name].places), 3))
    return found.kind, sizes


HARNESS = Harness(
    "confidence", _samples, {"*": json_with("right", "chrf", 1e12, 0, 1)}, feed, quick=100
)
