"""Batches of long sources: a few at a time, or each thread some of its own; the numbers stay."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from engine_kernels import kernels

from transduce.config import Config
from transduce.engine import fast_stepper
from transduce.engine.programs.program import Number
from transduce.interfaces import Source
from transduce.kernels.running import runner
from transduce.models.build import build_model

PART = {"kind": "transformer", "layers": 2, "width": 16, "feedforward": 24, "heads": 2}


@pytest.mark.parametrize("number", ["float32", "int8"])
@pytest.mark.parametrize("kind", ["convolution", "linear"])
def test_threads_and_parts_change_nothing(
    number: Number, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels()
    config = Config.from_mapping(
        {"model": {"frontend": {"kind": kind}, "encoder": PART, "decoder": PART}}
    )
    stepper: Any = fast_stepper(build_model(config.model, 5, 9).eval(), number)
    source = Source(torch.randn(7, 500, 5), torch.tensor([500, 3, 120, 500, 77, 1, 200]))
    runs = []
    run = runner.Runner.run
    monkeypatch.setattr(
        runner.Runner, "run", lambda self, *given: (runs.append(given), run(self, *given))[1]
    )

    def encoded(threads: int, most: int) -> list[torch.Tensor]:
        monkeypatch.setattr(runner, "_MOST_ROWS", most)
        torch.set_num_threads(threads)
        runs.clear()
        try:
            state = stepper.start(source).decoder
        finally:
            torch.set_num_threads(1)
        return [state.memory.vectors[state.memory.mask], *state.sentences.values()]

    whole = encoded(1, 10_000)
    assert len(runs) == (4 if kind == "convolution" else 3)
    by_threads = encoded(3, 10_000)
    assert not runs  # each thread had sentences of its own
    in_parts = encoded(1, 600)
    assert len(runs) > 4
    for other in (by_threads, in_parts):
        for expected, found in zip(whole, other, strict=True):
            assert torch.equal(expected, found)
