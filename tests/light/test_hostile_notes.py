"""No number of a note is believed: whatever stands in it, there is an answer or an error."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from noted_models import KINDS, ROWS, noted, written

from transduce.config import SearchConfig
from transduce.errors import EngineError, ModelError
from transduce.kernels.library import load_library
from transduce.kernels.running.beam_plans import beam_plan
from transduce.light.light_model import NOT_OURS
from transduce.light.searches.searching import NotedModel
from transduce.untrusted.tensors import TensorFile

_TRIES = 60
_ODD = [
    *(None, True, -1, 0, 1, 2, 3, 7, 31, 33, 1000, 1 << 20, 1 << 31, -(1 << 31), 1 << 63, 10**400),
    *(0.5, -1.5, 1e30, 1e300, "", "encoder", "int4", [], {}, [1], {"packed": 0}, {"packed": 5}),
    *({"packed": 10**9}, {"numbers": None}, {"joined": []}, {"joined": [1 << 24]}),
]
_PLAN = beam_plan([(0, 6)] * len(ROWS), SearchConfig(beam=2, max_length=6))


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in inner:
        yield (*path, key)
        if isinstance(entry, dict | list):
            yield from _places(entry, (*path, key))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _damaged(data: dict[str, Any], places: list[tuple[Any, ...]], chance: random.Random) -> Any:
    damaged = copy.deepcopy(data)
    path = chance.choice(places)
    outer, key = _at(damaged, path[:-1]), path[-1]
    match chance.randrange(4):
        case 0 | 1:
            outer[key] = chance.choice(_ODD)
        case 2 if isinstance(outer, list):
            outer.insert(key, copy.deepcopy(chance.choice(outer)))
        case 2:
            del outer[key]
        case _:
            outer[key] = copy.deepcopy(_at(damaged, chance.choice(places)))
    return damaged


@pytest.mark.parametrize("kind", ["transformer", "other layers", "ssru", "lstm", "gru"])
def test_a_damaged_note_ends_in_words(kind: str, tmp_path: Path) -> None:
    chance = random.Random(kind)
    path = tmp_path / "model.safetensors"
    written(kind, "int8", path)
    _, data = noted(kind, "int8", "int8", path)
    places, refused = list(_places(data)), 0
    for _ in range(_TRIES):
        damaged = _damaged(data, places, chance)
        try:
            with TensorFile(path) as file:
                NotedModel(load_library(), damaged, file).search(ROWS, _PLAN)
        except NOT_OURS:
            refused += 1
    assert refused > _TRIES // 2


def _of_transformer(path: Path) -> dict[str, Any]:
    written("transformer", "int8", path)
    return noted("transformer", "int8", "int8", path)[1]


def _refused(data: dict[str, Any], path: Path, error: type[Exception], match: str) -> None:
    with TensorFile(path) as file, pytest.raises(error, match=match):
        NotedModel(load_library(), data, file).search(ROWS, _PLAN)


def _step(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = data["programs"][data["decoder"]["program"]]
    return found


def test_tensors_that_a_search_makes_are_given_to_their_own_operations_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.safetensors"
    data = _of_transformer(path)
    names = _step(data)["tensors"]
    scores, logits = names.index("scores"), names.index("logits")
    names[scores], names[logits] = "logits", "scores"
    _refused(data, path, ModelError, "vocabulary must name logits; got scores")


def test_unknown_operations_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    data = _of_transformer(path)
    _step(data)["operations"].append(["free_program"])
    _refused(data, path, ModelError, "operation must be a known one; got 'free_program'")


def test_two_vocabularies_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    data = _of_transformer(path)
    _step(data)["operations"].append(_step(data)["operations"][-1])
    _refused(data, path, ModelError, "program must have one vocabulary at most")


def test_what_does_not_fit_its_buffers_is_refused_by_the_kernels(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    data = _of_transformer(path)
    joined = next(each for each in data["weights"] if isinstance(each["weight"], dict))
    joined |= {"weight": "output.weight", "bias": "output.bias"}
    _refused(data, path, EngineError, "an operation must fit the buffers and weights")


def test_weights_that_a_file_has_not_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    data = _of_transformer(path)
    data["weights"][1]["weight"] = "encoder.other"
    _refused(data, path, ModelError, "weights must hold encoder.other; got")


def test_all_kinds_are_here() -> None:
    assert {"transformer", "other layers", "ssru", "lstm", "gru"} <= KINDS.keys()
