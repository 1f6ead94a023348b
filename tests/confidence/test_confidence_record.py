"""A confidence on the disk: read back as it was, and no number in it believed."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transduce.confidence.confidence import NAMES, Confidence
from transduce.confidence.judge import Judge
from transduce.confidence.record import confidence_json, read_confidence
from transduce.errors import ModelError


def judge(names: tuple[str, ...]) -> Judge:
    count = np.arange(len(names), dtype=np.float64)
    return Judge(
        names, count, count + 0.5, -count, 0.25, np.array([0.1, 0.9]), np.array([0.2, 0.8])
    )


CONFIDENCE = Confidence("right", {name: judge(names) for name, names in NAMES.items()}, 200, 4)
FIRST = ("judges", "output", "features", "margin", "mean")


def test_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "confidence.json"
    path.write_text(confidence_json(CONFIDENCE))
    found = read_confidence(path)
    assert (found.kind, found.examples, found.beam) == ("right", 200, 4)
    for name, names in NAMES.items():
        features = np.random.default_rng(1).normal(size=(5, len(names)))
        wanted = CONFIDENCE.judges[name].probabilities(features)
        assert found.judges[name].probabilities(features).tolist() == wanted.tolist()


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("transduce",), "explanation", "transduce, version"),
        (("kind",), "sure", "kind must be right or chrf"),
        (("examples",), -1, "examples must be a count"),
        (("beam",), True, "beam must be a count"),
        (("judges",), [], "judges must be an object with output,"),
        (("judges", "word"), None, "judges.word must be an object with features, bias, curve"),
        (("judges", "output", "features"), {}, "judges.output.features must be an object"),
        (FIRST, "1", "judges.output.features.margin.mean must be a number"),
        (FIRST, True, "must be a number"),
        (FIRST, 1e300, "must be a number within"),
        ((*FIRST[:-1], "scale"), 0, "judges.output.features must be of scales above 0"),
        ((*FIRST[:-1], "scale"), 1e-310, "judges.output.features must be of scales above 0"),
        (("judges", "output", "bias"), None, "judges.output.bias must be a number"),
        (("judges", "word", "curve", "places"), [0.5, 0.5], "shares from 0 to 1, in rising order"),
        (("judges", "word", "curve", "heights"), [0.9, 0.1], "in rising order"),
        (("judges", "word", "curve", "heights"), [0.5, 1.5], "shares from 0 to 1"),
        (("judges", "word", "curve", "heights"), [0.5], "as many places as heights"),
        (("judges", "word", "curve", "places"), "all", "a list of"),
    ],
)
def test_nothing_is_believed(tmp_path: Path, place: tuple[str, ...], value: Any, said: str) -> None:
    values: Any = copy.deepcopy(json.loads(confidence_json(CONFIDENCE)))
    inner = values
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path = tmp_path / "confidence.json"
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError) as caught:
        read_confidence(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": NaN}'])
def test_what_is_no_json_object(tmp_path: Path, text: str) -> None:
    path = tmp_path / "confidence.json"
    path.write_text(text)
    with pytest.raises(ModelError, match="JSON"):
        read_confidence(path)
