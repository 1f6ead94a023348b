"""The kernels against PyTorch over shapes nobody chose: widths, heads, layers, lengths, beams."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from engine_kernels import LESSER, kernels
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from architectures import make_source, make_target
from transduce.compress import shrunk
from transduce.config import ModelConfig
from transduce.engine import fast_stepper
from transduce.models.build import build_model
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import adopt_weights, named_weights, restore_floats

# Of the root mean square of the differences, in standard deviations of the logits: what has
# nothing to do with the logits would be at 1.4.
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1, "int8": 0.3, "int4": 0.3}
# Normalising few numbers turns small differences into large ones.
NARROWEST = {"float32": 1, "bfloat16": 24, "int8": 24, "int4": 24}
HEAD_WIDTHS = [1, 2, 3, 8, 15, 16, 17, 31, 32, 33, 48, 64, 96]
ATTENTIONS = ["none", "dot", "general", "additive", "cosine", "multihead"]

layers = st.integers(1, 2)
numbers = st.sampled_from(list(TOLERANCE))


@st.composite
def transformers(draw: st.DrawFn) -> dict[str, Any]:
    positions = draw(
        st.sampled_from(["sinusoidal", "fairseq", "learned", "rotary", "relative", "none"])
    )
    heads, width = draw(st.integers(1, 4)), draw(st.sampled_from(HEAD_WIDTHS))
    if positions == "rotary":
        width += width % 2
    if positions == "sinusoidal" and heads * width % 2:
        heads += 1
    stack = {
        "kind": "transformer",
        "width": heads * width,
        "heads": heads,
        "feedforward": draw(st.integers(1, 70)),
        "positions": positions,
        "key_value_heads": draw(st.sampled_from([n for n in (1, 2, 4) if heads % n == 0])),
        "norm": draw(st.sampled_from(["layer", "rms"])),
        "norm_position": draw(st.sampled_from(["pre", "post"])),
        "activation": draw(
            st.sampled_from(["relu", "gelu", "gelu-tanh", "silu", "swiglu", "geglu"])
        ),
        "max_positions": 64,
        "bias": draw(st.booleans()),
        "dropout": 0.0,
    }
    decoder = {**stack, "layers": draw(layers)}
    if positions not in ("rotary", "relative") and draw(st.booleans()):
        decoder |= {"kind": draw(st.sampled_from(["ssru", "mingru"]))}
        decoder |= {"feedforward": draw(st.integers(0, 70))}
    encoder = {**stack, "layers": draw(layers)}
    if draw(st.integers(0, 3)) == 0:
        shared = ("feedforward", "norm", "norm_position", "activation", "bias", "dropout", "layers")
        encoder = {name: encoder[name] for name in shared}
        encoder |= {"kind": "mingru", "width": 2 * draw(st.integers(1, 40))}
        if draw(st.booleans()):
            encoder |= {"kind": "mamba", "expand": draw(st.integers(1, 3))}
            encoder |= {"state_width": draw(st.integers(1, 20))}
            encoder |= {"feedforward": draw(st.integers(0, 70))}
    elif positions not in ("rotary", "relative") and draw(st.booleans()):
        encoder |= {"attention": "linear"}
    else:
        encoder |= {"window": draw(st.sampled_from([None, 1, 3, 8]))}
        if encoder["window"] is not None and encoder["positions"] != "rotary":
            encoder |= {"global_block": draw(st.sampled_from([None, 2, 5]))}
    return {
        "encoder": encoder,
        "decoder": decoder,
        "tie": draw(st.sampled_from(["none", "target"])),
    }


@st.composite
def recurrent(draw: st.DrawFn) -> dict[str, Any]:
    attention = draw(st.sampled_from(ATTENTIONS))
    heads, half = draw(st.integers(1, 3)), draw(st.integers(1, 40))
    width = 2 * half if attention in ("dot", "cosine") else draw(st.integers(1, 70))
    decoder: dict[str, Any] = {"layers": draw(layers), "attention": attention, "dropout": 0.0}
    if attention == "multihead":
        width = heads * draw(st.sampled_from(HEAD_WIDTHS))
        decoder["heads"] = heads
    if attention != "none":
        decoder["input_feeding"] = draw(st.booleans())
    kind = st.sampled_from(["rnn", "lstm", "gru"])
    return {
        "encoder": {"kind": draw(kind), "width": 2 * half, "layers": draw(layers), "dropout": 0.0},
        "decoder": {"kind": draw(kind), "width": width, **decoder},
        "embedding_width": draw(st.integers(1, 50)),
    }


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[int], int, list[int]]:
    """Lengths of sources, a beam, and of each step the parents by chance's seed."""
    lengths = draw(st.lists(st.integers(0, 40), min_size=1, max_size=5))
    return lengths, draw(st.integers(1, 5)), draw(st.lists(st.integers(0, 99), max_size=35))


def follow(stepper: Any, size: int, run: tuple[list[int], int, list[int]]) -> Tensor:
    """The logits after all steps of a run."""
    lengths, beam, seeds = run
    count = len(lengths)
    sources = [[4 + (7 * n) % (size - 4) for n in range(length)] for length in lengths]
    logits, state = stepper.step(
        make_target([[]] * count), stepper.start(make_source(sources), attention=False)
    )
    state = state.expand(beam)
    first = torch.arange(count).repeat_interleave(beam) * beam
    logits = logits.repeat_interleave(beam, dim=0)
    for seed in seeds:
        chance = torch.Generator().manual_seed(seed)
        parents = first + torch.randint(beam, (count * beam,), generator=chance)
        tokens = torch.randint(4, size, (count * beam, 1), generator=chance)
        logits, state = stepper.step(tokens, state.reorder(parents))
    return logits[:, -1]


def as_stored(model: Seq2Seq, number: str) -> Seq2Seq:
    """int4 products take what is stored in int4."""
    if number == "int4":
        adopt_weights(model, {n: shrunk(w, "int4") for n, w in named_weights(model).items()})
    return model


def assert_same(sections: dict[str, Any], size: int, number: str, run: Any, **options: Any) -> None:
    assume(sections["decoder"]["width"] >= NARROWEST[number])
    torch.manual_seed(5)
    model: Seq2Seq = build_model(ModelConfig.model_validate(sections), size, size).eval()
    stepper = fast_stepper(as_stored(model, number), number, **options)  # int4: the rounded model's
    restore_floats(model)
    with torch.inference_mode():
        expected = follow(model, size, run)
    found = follow(stepper, size, run)
    assert found.shape == expected.shape
    error = (found - expected).square().mean().sqrt() / expected.std().clamp(min=0.1)
    assert float(error) < TOLERANCE[number]


@pytest.fixture(autouse=True, scope="module")
def compiled() -> None:
    kernels()


@given(transformers(), st.integers(5, 200), numbers, runs())
@settings(max_examples=80)
def test_transformers(sections: dict[str, Any], size: int, number: str, run: Any) -> None:
    assert_same(sections, size, number, run)


@given(recurrent(), st.integers(5, 200), numbers, runs())
@settings(max_examples=80)
def test_recurrent(sections: dict[str, Any], size: int, number: str, run: Any) -> None:
    assert_same(sections, size, number, run)


@pytest.mark.parametrize("architecture", LESSER)
@given(st.one_of(transformers(), recurrent()), st.integers(5, 60), numbers, runs())
@settings(max_examples=40)
def test_with_fewer_vector_instructions(
    architecture: str, sections: dict[str, Any], size: int, number: str, run: Any
) -> None:
    kernels(architecture)
    assert_same(sections, size, number, run, architecture=architecture)
