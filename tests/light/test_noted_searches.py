"""What is noted of a model searches as the model does, number for number, without torch."""

from __future__ import annotations

from pathlib import Path

import pytest
from noted_models import KINDS, ROWS, noted, written

from transduce.config import EngineChoice, SearchConfig, WeightNumber
from transduce.errors import ModelError
from transduce.interfaces import Source
from transduce.kernels.library import load_library
from transduce.kernels.running.beam_plans import beam_plan
from transduce.light.searches.searching import NotedModel
from transduce.untrusted.tensors import TensorFile

ENGINES: dict[WeightNumber, tuple[EngineChoice, ...]] = {
    "float32": ("float32", "bfloat16", "int8"),
    "int8": ("float32", "int8"),
    "bfloat16": ("float32", "int8"),
    "int4": ("float32", "int8", "int4"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stored", ENGINES)
def test_outputs_are_the_same(kind: str, stored: WeightNumber, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    written(kind, stored, path)
    for engine in ENGINES[stored]:
        stepper, data = noted(kind, stored, engine, path)
        with TensorFile(path) as file:
            light = NotedModel(load_library(), data, file)
        for beam in (1, 3):
            options = SearchConfig(beam=beam, nbest=beam, max_length=10, min_length=2)
            plan = beam_plan([(2, 10)] * len(ROWS), options, prefix=(7,), banned_first=(8,))
            expected = stepper.search(Source.of_tokens(ROWS), plan)
            assert light.search(ROWS, plan) == expected, engine


def test_more_positions_than_were_learned_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    written("other layers", "float32", path)
    _, data = noted("other layers", "float32", "float32", path)
    with TensorFile(path) as file:
        light = NotedModel(load_library(), data, file)
    plan = beam_plan([(60, 60)], SearchConfig(beam=1, min_length=60, max_length=60))
    with pytest.raises(ModelError, match="sequence must be at most 40 tokens long"):
        light.search(ROWS[:1], plan)
