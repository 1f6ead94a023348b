"""A sentence's outputs are the same numbers, bit for bit, whoever is decoded beside it.

In all three kinds of numbers, for every architecture, batch, order, padding and number of threads.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from engine_kernels import LESSER, kernels

from architectures import ARCHITECTURES, SYMBOLS, make_model, make_source_for, sentences
from transduce.config import ModelConfig, SearchConfig
from transduce.engine import fast_stepper
from transduce.interfaces import END
from transduce.kernels.running import native_search
from transduce.models.build import build_model
from transduce.models.seq2seq import Seq2Seq
from transduce.search import Ensemble, Hypothesis, decode
from transduce.training.chunks.team import torch_threads

NUMBERS = ["float32", "bfloat16", "int8"]
LONGEST = 300  # symbols, END counted, or frames
# Around the lengths where kernels change, and where a vector is full.
TOKENS = [7, 0, 16, 63, 64, 100, 299]
FRAMED = [2, 0, 3, 12, 13, 59]  # each symbol makes five frames
OPTIONS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "beam": {"beam": 3, "nbest": 2},
    "coverage": {"beam": 2, "nbest": 2, "coverage_penalty": 0.4},
    "sample": {"sample": True},
    "ctc": {"beam": 3, "nbest": 2, "ctc_weight": 0.3},
}


def long_model(name: str) -> Seq2Seq:
    """With room for long sources, and opinions of its own."""
    sections = copy.deepcopy(ARCHITECTURES[name])
    for side in ("encoder", "decoder"):
        if "max_positions" in sections[side]:
            sections[side]["max_positions"] = LONGEST
    model = make_model(sections)
    torch.manual_seed(6)
    with torch.no_grad():
        model.output.weight.normal_(0, 1.0)
        model.output.bias.normal_(0, 0.5)
        model.output.bias[END] = 0.5
    return model


def rows_for(model: Seq2Seq) -> list[list[int]]:
    return sentences(*(TOKENS if model.frontend is None else FRAMED), seed=11)


Found = dict[int, list[Hypothesis]]


def found(
    stepper: Any,
    model: Seq2Seq,
    rows: Sequence[list[int]],
    numbers: Sequence[int],
    **values: Any,
) -> Found:
    """The outputs of the sources with these numbers, decoded together."""
    source = make_source_for(model, [rows[number] for number in numbers])
    options = SearchConfig(max_length=4, **values)
    return dict(zip(numbers, decode(stepper, source, options, None, numbers), strict=True))


def apart(stepper: Any, model: Seq2Seq, rows: Sequence[list[int]], **values: Any) -> Found:
    """The same of each source by itself."""
    alone: Found = {}
    for number in range(len(rows)):
        alone |= found(stepper, model, rows, [number], **values)
    return alone


def options_for(model: Seq2Seq) -> list[str]:
    attends = getattr(model.decoder, "attention", True) is not None
    return [
        option
        for option in OPTIONS
        if (option != "coverage" or attends) and (option != "ctc" or model.ctc is not None)
    ]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_neighbours_change_nothing(name: str, number: str) -> None:
    kernels()
    model = long_model(name)
    engine, rows = fast_stepper(model, number), rows_for(model)
    everyone = list(range(len(rows)))
    alone = apart(engine, model, rows, **OPTIONS["beam"])
    for together, count in ((everyone, 2), (everyone[::-1], 1), (everyone[1::2], 2)):
        with torch_threads(count):
            outputs = found(engine, model, rows, together, **OPTIONS["beam"])
        assert outputs == {one: alone[one] for one in together}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", ["lstm-copy", "transformer-copy", "linear-lstm-ctc"])
def test_whatever_the_options(name: str, number: str, option: str) -> None:
    kernels()
    model = long_model(name)
    if option not in options_for(model):
        return
    engine, rows = fast_stepper(model, number), rows_for(model)
    alone = apart(engine, model, rows, **OPTIONS[option])
    with torch_threads(2):
        assert found(engine, model, rows, range(len(rows)), **OPTIONS[option]) == alone


@pytest.mark.parametrize("option", ["beam", "ctc", "sample"])
def test_beside_each_other_in_an_ensemble(option: str) -> None:
    kernels()
    model = long_model("linear-lstm-ctc")
    members = [fast_stepper(model, number) for number in ("float32", "int8")]
    ensemble, rows = Ensemble(members), rows_for(model)
    alone = apart(ensemble, model, rows, **OPTIONS[option])
    assert found(ensemble, model, rows, range(len(rows)), **OPTIONS[option]) == alone


@pytest.mark.parametrize("architecture", LESSER)
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", ["transformer-rotary", "lstm-additive", "convolution-transformer"])
def test_on_lesser_processors(name: str, number: str, architecture: str) -> None:
    kernels(architecture)
    model = long_model(name)
    engine = fast_stepper(model, number, architecture=architecture)  # type: ignore[arg-type]
    rows = rows_for(model)
    alone = apart(engine, model, rows, **OPTIONS["beam"])
    assert found(engine, model, rows, range(len(rows)), **OPTIONS["beam"]) == alone


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("kind", ["transformer", "gru"])
def test_large_vocabularies_and_batches(
    kind: str, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a vocabulary is summed up in slices, by several threads, over blocks of rows."""
    kernels()
    size, narrow = 2111, {"kind": kind, "width": 24, "dropout": 0.0}
    config = ModelConfig.model_validate({"encoder": narrow, "decoder": narrow})
    torch.manual_seed(2)
    model = build_model(config, SYMBOLS, size, None).eval()
    with torch.no_grad():
        model.output.weight.normal_(0, 1.0)
    engine, rows = fast_stepper(model, number), sentences(*range(1, 61), seed=3)  # type: ignore[arg-type]
    everyone = list(range(len(rows)))
    alone = apart(engine, model, rows, beam=2)
    for together in (False, True):
        monkeypatch.setattr(native_search, "_together", lambda *_, whole=together: whole)
        for count, batch in ((1, everyone), (2, everyone[:49]), (3, everyone[::-1])):
            with torch_threads(count):
                outputs = found(engine, model, rows, batch, beam=2)
            assert outputs == {one: alone[one] for one in batch}
