"""A confidence as JSON and back. No number in a file is believed before it is looked at."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from transduce.confidence.confidence import NAMES, Confidence, Kind
from transduce.confidence.judge import Judge
from transduce.errors import ModelError
from transduce.files import place
from transduce.untrusted.json import read_object

__all__ = [
    "CONFIDENCE",
    "confidence_file",
    "confidence_json",
    "confidence_of",
    "read_confidence",
]

CONFIDENCE = "confidence.json"

_VERSION = 1
_LARGEST = 1e12
_MOST_PLACES = 100_000
_KINDS = ("right", "chrf")


def confidence_json(confidence: Confidence) -> str:
    """As a person can read it."""
    values = {
        "transduce": "confidence",
        "version": _VERSION,
        "kind": confidence.kind,
        "examples": confidence.examples,
        "beam": confidence.beam,
        "judges": {name: _written(judge) for name, judge in confidence.judges.items()},
    }
    return json.dumps(values, indent=1) + "\n"


def _written(judge: Judge) -> dict[str, Any]:
    columns = zip(judge.names, judge.means, judge.scales, judge.weights, strict=True)
    return {
        "features": {
            name: {"mean": float(mean), "scale": float(scale), "weight": float(weight)}
            for name, mean, scale, weight in columns
        },
        "bias": judge.bias,
        "curve": {"places": judge.places.tolist(), "heights": judge.heights.tolist()},
    }


def confidence_file(folder: Path) -> list[str]:
    """The name of the file in a model directory; none where it has none."""
    return [CONFIDENCE] if place(folder, CONFIDENCE).is_file() else []


def confidence_of(folder: Path) -> Confidence | None:
    """That of a model directory, where it has one. Raises ModelError."""
    return read_confidence(place(folder, CONFIDENCE)) if confidence_file(folder) else None


def read_confidence(path: str | Path) -> Confidence:
    """Read what ``confidence_json`` wrote. Raises ModelError naming the file and the key."""
    return _ConfidenceFile(path, read_object(path)).confidence()


class _ConfidenceFile:
    """One file, key by key."""

    def __init__(self, path: str | Path, values: dict[str, Any]) -> None:
        self._path, self._values = path, values

    def confidence(self) -> Confidence:
        values = self._values
        if values.get("transduce") != "confidence" or values.get("version") != _VERSION:
            raise self._error("transduce, version", f"confidence, {_VERSION}")
        kind = values.get("kind")
        if kind not in _KINDS:
            raise self._error("kind", " or ".join(_KINDS))
        judges = self._mapping(values.get("judges"), "judges", NAMES)
        return Confidence(
            cast(Kind, kind),
            {name: self._judge(judges[name], f"judges.{name}", NAMES[name]) for name in NAMES},
            self._count("examples"),
            self._count("beam"),
        )

    def _judge(self, value: Any, key: str, names: tuple[str, ...]) -> Judge:
        own = self._mapping(value, key, ("features", "bias", "curve"))
        features = self._mapping(own["features"], f"{key}.features", names)
        columns: dict[str, list[float]] = {"mean": [], "scale": [], "weight": []}
        for name in names:
            place = f"{key}.features.{name}"
            feature = self._mapping(features[name], place, columns)
            for column, numbers in columns.items():
                numbers.append(self._number(feature[column], f"{place}.{column}"))
        if min(columns["scale"]) < 1 / _LARGEST:  # what is divided by it stays finite
            raise self._error(f"{key}.features", "of scales above 0")
        curve = self._mapping(own["curve"], f"{key}.curve", ("places", "heights"))
        places = self._shares(curve["places"], f"{key}.curve.places", rising="strictly")
        heights = self._shares(curve["heights"], f"{key}.curve.heights", rising="ever")
        if len(places) != len(heights):
            raise self._error(f"{key}.curve", "as many places as heights")
        means, scales, weights = (np.array(numbers) for numbers in columns.values())
        bias = self._number(own["bias"], f"{key}.bias")
        return Judge(names, means, scales, weights, bias, places, heights)

    def _mapping(self, value: Any, key: str, names: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or value.keys() != {*names}:
            raise self._error(key, f"an object with {', '.join(names)}")
        return value

    def _number(self, value: Any, key: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(key, "a number")
        if not math.isfinite(value) or abs(value) > _LARGEST:
            raise self._error(key, f"a number within ±{_LARGEST:g}")
        return float(value)

    def _count(self, key: str) -> int:
        value = self._values.get(key)
        if type(value) is not int or not 0 <= value < 1 << 53:
            raise self._error(key, "a count")
        return value

    def _shares(
        self, value: Any, key: str, rising: Literal["ever", "strictly"]
    ) -> NDArray[np.float64]:
        if not isinstance(value, list) or len(value) > _MOST_PLACES:
            raise self._error(key, f"a list of {_MOST_PLACES:,} numbers at most")
        found = np.array([self._number(item, key) for item in value], np.float64)
        steps = np.diff(found)
        falls = (steps <= 0) if rising == "strictly" else (steps < 0)
        if falls.any() or (len(found) and (found[0] < 0 or found[-1] > 1)):
            raise self._error(key, "shares from 0 to 1, in rising order")
        return found

    def _error(self, key: str, wanted: str) -> ModelError:
        return ModelError(f"{self._path}: {key} must be {wanted}; got another value")
