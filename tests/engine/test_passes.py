"""Programs go over long sources some rows at a time; where these begin changes no number."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from engine_kernels import kernels

from architectures import make_source
from transduce.config import ModelConfig
from transduce.engine import fast_stepper
from transduce.engine.programs.program import Number
from transduce.interfaces import Source
from transduce.kernels.running import runner
from transduce.models.build import build_model
from transduce.models.seq2seq import Seq2Seq

SYMBOLS = 20
STACK = {"layers": 2, "width": 16, "feedforward": 24, "dropout": 0.0}
WINDOW = {"kind": "transformer", "heads": 2, **STACK}
ENCODERS = {
    "mingru": {"kind": "mingru", **STACK},
    "mingru-post": {"kind": "mingru", **STACK, "norm_position": "post", "width": 38},
    "mamba": {"kind": "mamba", **STACK},
    "mamba-post": {
        "kind": "mamba", **STACK, "norm_position": "post", "width": 38, "state_width": 3,
        "feedforward": 0,
    },
    "linear": {"kind": "transformer", "attention": "linear", "heads": 2, **STACK},
    "linear-post": {
        "kind": "transformer", "attention": "linear", "heads": 3, "key_value_heads": 1,
        "head_width": 13, **STACK, "norm_position": "post", "positions": "none",
    },
    "window": {**WINDOW, "window": 7, "positions": "relative"},
    "window-rotary-post": {
        **WINDOW, "window": 90, "positions": "rotary", "norm_position": "post",
    },
    "global": {**WINDOW, "window": 20, "global_block": 16, "positions": "relative"},
    "global-post": {
        **WINDOW, "window": 4, "global_block": 100, "norm": "rms", "norm_position": "post",
    },
    "window-short": {**WINDOW, "window": 3},
}  # fmt: skip
# at least 1,536 rows go together, and four sources of 1,000: chunks begin within sources
LENGTHS = {"one": [3600], "several": [999, 700, 300, 2], "short": [60] * 60}


def model_of(encoder: dict[str, Any]) -> Seq2Seq:
    decoder = {**WINDOW, "layers": 1}
    torch.manual_seed(1)
    config = ModelConfig.model_validate({"encoder": encoder, "decoder": decoder})
    return build_model(config, SYMBOLS, SYMBOLS).eval()


def source_of(lengths: list[int]) -> Source:
    torch.manual_seed(2)
    return make_source([torch.randint(4, SYMBOLS, (length,)).tolist() for length in lengths])


def started(stepper: Any, source: Source, threads: int = 1) -> list[torch.Tensor]:
    """Vectors, their mean, and what the decoder reads of them."""
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            state = stepper.start(source).decoder
    finally:
        torch.set_num_threads(1)
    memory = state.memory
    real = memory.vectors.masked_fill(~memory.mask[:, :, None], 0.0)
    return [real, memory.summary, *(state.sentences[name] for name in sorted(state.sentences))]


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
def test_in_chunks_the_numbers_are_those_of_the_model(
    encoder: dict[str, Any], lengths: list[int]
) -> None:
    kernels()
    model, source = model_of(encoder), source_of(lengths)
    found = started(fast_stepper(model, "float32"), source)
    with torch.inference_mode():
        memory = model.start(source).memory
    real = memory.vectors.masked_fill(~memory.mask[:, :, None], 0.0)
    torch.testing.assert_close(found[0], real, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(found[1], memory.summary, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("number", ["float32", "int8"])
@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
def test_neither_neighbours_nor_threads_change_a_bit(
    encoder: dict[str, Any], number: Number, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels()
    monkeypatch.setattr(runner, "_ALONE", 0)  # small runs, too, by several threads
    stepper: Any = fast_stepper(model_of(encoder), number)
    lengths = LENGTHS["several"]
    source = source_of(lengths)
    together = started(stepper, source)
    # one source alone: three threads share its rows
    for threads, rows in ((1, [0, 1, 2, 3]), (3, [0])):
        for row in rows:
            real = int(source.lengths[row])
            one = Source(source.values[row : row + 1, :real], source.lengths[row : row + 1])
            alone = started(stepper, one, threads)
            assert torch.equal(alone[0][0], together[0][row, :real])
            assert torch.equal(alone[1][0], together[1][row])
