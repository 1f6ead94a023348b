from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from transduce.errors import ConfigError
from transduce.interfaces import Memory, Source
from transduce.models.recurrent import Bridge, RecurrentDecoder, RecurrentEncoder
from transduce.models.state import DecoderState

KINDS = ["rnn", "lstm", "gru"]
ATTENTIONS = ["none", "dot", "general", "additive", "cosine", "multihead"]
EXACT = {"rtol": 0, "atol": 1e-5}

ENCODER = {"kind": "gru", "width": 8, "layers": 2, "bidirectional": True, "dropout": 0.0}
DECODER = {
    "kind": "gru",
    "width": 12,
    "layers": 2,
    "attention": "general",
    "heads": 3,
    "input_feeding": False,
    "bridge": "dense",
    "dropout": 0.0,
    "memory_width": 8,
    "memory_layers": 2,
}
# Every kind with every attention, and with input feeding where there is attention to feed.
VARIANTS = [
    {"kind": kind, "attention": attention, "input_feeding": feeding}
    for kind, attention, feeding in itertools.product(KINDS, ATTENTIONS, [False, True])
    if not (attention == "none" and feeding)
]


def name(variant: dict[str, object]) -> str:
    fed = "-fed" if variant["input_feeding"] else ""
    return f"{variant['kind']}-{variant['attention']}{fed}"


def make_encoder(inputs: int = 6, **changes) -> RecurrentEncoder:
    return RecurrentEncoder(inputs, **{**ENCODER, **changes})


def make_decoder(inputs: int = 7, **changes) -> RecurrentDecoder:
    return RecurrentDecoder(inputs, **{**DECODER, **changes})


def make_source(*lengths: int, longest: int | None = None) -> Source:
    width = longest or max(lengths)
    tokens = torch.tensor([[4] * (n - 1) + [3] + [0] * (width - n) for n in lengths])
    return Source(tokens, torch.tensor(lengths))


def make_memory(*lengths: int, width: int = 8, layers: int = 2) -> Memory:
    source = make_source(*lengths)
    vectors = torch.randn(len(lengths), max(lengths), width)
    return Memory(vectors, source.mask, source.tokens, torch.randn(len(lengths), layers, width))


def run(decoder: RecurrentDecoder, vectors: Tensor, state: DecoderState, sizes: list[int]):
    outputs = []
    for piece in vectors.split(sizes, dim=1):
        output, state = decoder.step(piece, state)
        outputs.append(output)
    return torch.cat(outputs, dim=1), state


# ---------------------------------------------------------------- encoder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_sentence_alone_is_sentence_in_any_batch(kind: str, bidirectional: bool) -> None:
    encoder = make_encoder(kind=kind, bidirectional=bidirectional)
    lengths = [4, 1, 6]
    source = make_source(*lengths, longest=9)
    vectors = torch.randn(3, 9, 6)
    together = encoder(vectors, source)
    order = torch.tensor([2, 0, 1])
    shuffled = encoder(vectors[order], Source(source.tokens[order], source.lengths[order]))
    for row, length in enumerate(lengths):
        alone = encoder(vectors[row : row + 1, :length], make_source(length))
        place = order.tolist().index(row)
        for memory, number in ((together, row), (shuffled, place)):
            torch.testing.assert_close(memory.vectors[number, :length], alone.vectors[0], **EXACT)
            torch.testing.assert_close(memory.summary[number], alone.summary[0], **EXACT)
            assert torch.equal(memory.vectors[number, length:], torch.zeros(9 - length, 8))
    assert torch.equal(together.mask, source.mask)
    assert torch.equal(together.tokens, source.tokens)
    assert together.summary.shape == (3, 2, 8)


def test_summary_is_the_last_state_of_each_direction() -> None:
    encoder = make_encoder(layers=1)
    memory = encoder(torch.randn(2, 5, 6), make_source(5, 3))
    for row, length in ((0, 5), (1, 3)):
        assert torch.equal(memory.summary[row, 0, :4], memory.vectors[row, length - 1, :4])
        assert torch.equal(memory.summary[row, 0, 4:], memory.vectors[row, 0, 4:])


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_reaches_every_parameter_of_the_encoder(kind: str) -> None:
    encoder = make_encoder(kind=kind)
    vectors = torch.randn(2, 5, 6, requires_grad=True)
    encoder(vectors, make_source(5, 3)).vectors.square().sum().backward()
    for key, parameter in encoder.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key
    assert vectors.grad is not None
    assert torch.equal(vectors.grad[1, 3:], torch.zeros(2, 6))


def test_encoder_drops_while_training_only() -> None:
    encoder = make_encoder(dropout=0.5, layers=1)
    vectors, source = torch.randn(2, 5, 6), make_source(5, 3)
    trained = encoder(vectors, source)
    encoder.eval()
    evaluated = encoder(vectors, source)
    assert not torch.equal(trained.vectors, evaluated.vectors)
    assert torch.equal(trained.summary, evaluated.summary)


def test_odd_width_in_two_directions_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.encoder\.width must be even .* got 7"):
        make_encoder(width=7)
    assert make_encoder(width=7, bidirectional=False).width == 7


# ---------------------------------------------------------------- bridge


def make_bridge(kind: str, **changes) -> Bridge:
    sizes = {"cells": True, "width": 8, "layers": 2, "memory_width": 8, "memory_layers": 2}
    return Bridge(kind, **{**sizes, **changes})


def test_bridge_zero_and_copy() -> None:
    summary = torch.randn(3, 2, 8)
    zero = torch.zeros(3, 2, 8)
    for kind, hidden in (("zero", zero), ("copy", summary)):
        states = make_bridge(kind)(summary)
        assert len(states) == 2
        assert torch.equal(states[0], hidden)
        assert torch.equal(states[1], zero)
        assert not list(make_bridge(kind).parameters())
        assert len(make_bridge(kind, cells=False)(summary)) == 1


@pytest.mark.parametrize(("memory_layers", "read"), [(3, [0, 1, 2]), (2, [1, 1, 1])])
def test_dense_bridge(memory_layers: int, read: list[int]) -> None:
    bridge = make_bridge("dense", width=5, layers=3, memory_layers=memory_layers)
    summary = torch.randn(4, memory_layers, 8)
    hidden, cell = (state.detach().numpy() for state in bridge(summary))
    for layer, source in enumerate(read):
        s = summary[:, source].numpy()
        W, b = (parameter.detach().numpy() for parameter in bridge.hidden[layer].parameters())
        np.testing.assert_allclose(hidden[:, layer], np.tanh(s @ W.T + b), atol=1e-5)
        W, b = (parameter.detach().numpy() for parameter in bridge.cell[layer].parameters())
        np.testing.assert_allclose(cell[:, layer], s @ W.T + b, atol=1e-5)


@pytest.mark.parametrize("changes", [{"memory_width": 6}, {"memory_layers": 1}])
def test_copy_between_different_shapes_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"decoder\.bridge must be dense where .* got copy"):
        make_bridge("copy", **changes)


# ---------------------------------------------------------------- decoder


@pytest.mark.parametrize("variant", VARIANTS, ids=name)
def test_whole_target_is_step_by_step(variant: dict[str, object]) -> None:
    decoder = make_decoder(**variant)
    memory, vectors = make_memory(5, 2), torch.randn(2, 6, 7)
    whole, after = decoder.step(vectors, decoder.start(memory, attention=True))
    single, after_single = run(decoder, vectors, decoder.start(memory), [1] * 6)
    pieces, _ = run(decoder, vectors, decoder.start(memory), [2, 3, 1])
    assert whole.shape == (2, 6, 12)
    torch.testing.assert_close(single, whole, **EXACT)
    torch.testing.assert_close(pieces, whole, **EXACT)
    assert after.rows.keys() == after_single.rows.keys()
    for key, row in after.rows.items():
        torch.testing.assert_close(after_single.rows[key], row, **EXACT)
    assert after.position == after_single.position == 6
    assert after_single.attention is None
    if variant["attention"] == "none":
        assert after.attention is None
    else:
        assert after.attention is not None
        torch.testing.assert_close(after.attention.sum(-1), torch.ones(2, 6))
        assert torch.equal(after.attention[1, :, 2:], torch.zeros(6, 3))


@pytest.mark.parametrize("variant", VARIANTS, ids=name)
def test_sentence_alone_is_sentence_in_a_batch(variant: dict[str, object]) -> None:
    decoder = make_decoder(**variant)
    memory, vectors = make_memory(5, 2, 7), torch.randn(3, 4, 7)
    together, _ = decoder.step(vectors, decoder.start(memory))
    for row, length in enumerate((5, 2, 7)):
        one = memory.select(torch.tensor([row]))
        short = Memory(
            one.vectors[:, :length], one.mask[:, :length], one.tokens[:, :length], one.summary
        )
        alone, _ = decoder.step(vectors[row : row + 1], decoder.start(short))
        torch.testing.assert_close(together[row], alone[0], **EXACT)


@pytest.mark.parametrize("variant", VARIANTS, ids=name)
def test_beams_follow_their_own_history(variant: dict[str, object]) -> None:
    """Expanding, reordering and dropping gives what a replay of each row alone gives."""
    decoder = make_decoder(**variant)
    memory = make_memory(5, 2, 4)
    steps = torch.randn(3, 6, 1, 7)
    state = decoder.start(memory, attention=True).expand(2)
    _, state = decoder.step(steps[0], state)
    rows = torch.tensor([1, 0, 2, 2, 5, 4])
    _, state = decoder.step(steps[1], state.reorder(rows))
    kept = state.select(torch.tensor([2, 0]))
    assert kept.memory.vectors.shape[0] == 2
    output, state = decoder.step(steps[2, :4], kept)
    for place, (sentence, beam) in enumerate([(2, 0), (2, 1), (0, 0), (0, 1)]):
        row = 2 * sentence + beam
        history = [steps[0, rows[row]], steps[1, row], steps[2, place]]
        alone = decoder.start(memory.select(torch.tensor([sentence])), attention=True)
        expected, alone = run(decoder, torch.cat(history)[None], alone, [1, 1, 1])
        torch.testing.assert_close(output[place, 0], expected[0, -1], **EXACT)
        if state.attention is not None and alone.attention is not None:
            torch.testing.assert_close(state.attention[place], alone.attention[0], **EXACT)


@pytest.mark.parametrize("variant", VARIANTS, ids=name)
def test_gradient_reaches_every_parameter(variant: dict[str, object]) -> None:
    decoder = make_decoder(**variant)
    memory = make_memory(5, 2)
    memory.vectors.requires_grad_()
    memory.summary.requires_grad_()
    outputs, _ = decoder.step(torch.randn(2, 6, 7), decoder.start(memory))
    (outputs * torch.randn_like(outputs)).sum().backward()
    for key, parameter in decoder.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 1e-6, key
    assert memory.summary.grad is not None
    assert memory.summary.grad.abs().sum() > 0
    assert (memory.vectors.grad is None) == (variant["attention"] == "none")


def test_output_joins_hidden_and_context() -> None:
    """Luong et al. 2015, equation 5: tanh(W [h; c])."""
    decoder = make_decoder(layers=1)
    memory, vectors = make_memory(5, 2), torch.randn(2, 1, 7)
    state = decoder.start(memory, attention=True)
    output, after = decoder.step(vectors, state)
    assert after.attention is not None
    context = after.attention.detach().numpy() @ memory.vectors.numpy()
    hidden = after.rows["hidden"].detach().numpy()
    joined = np.concatenate([hidden, context], axis=-1)
    expected = np.tanh(joined @ decoder.combine.weight.detach().numpy().T)
    np.testing.assert_allclose(output.detach().numpy(), expected, atol=1e-5)


def test_fixed_vector_decoder_sees_the_summary_alone() -> None:
    decoder = make_decoder(attention="none")
    memory, vectors = make_memory(5, 2), torch.randn(2, 3, 7)
    other = Memory(torch.randn_like(memory.vectors), memory.mask, memory.tokens, memory.summary)
    output, state = decoder.step(vectors, decoder.start(memory))
    assert torch.equal(output, decoder.step(vectors, decoder.start(other))[0])
    assert torch.equal(output[:, -1], state.rows["hidden"][:, -1])
    changed = Memory(memory.vectors, memory.mask, memory.tokens, -memory.summary)
    assert not torch.allclose(output, decoder.step(vectors, decoder.start(changed))[0])


def test_input_feeding_reads_the_output_before() -> None:
    decoder = make_decoder(input_feeding=True)
    memory, vectors = make_memory(5, 2), torch.randn(2, 2, 7)
    _, state = decoder.step(vectors[:, :1], decoder.start(memory))
    second, _ = decoder.step(vectors[:, 1:], state)
    rows = dict(state.rows) | {"output": torch.zeros(2, 12)}
    blind, _ = decoder.step(vectors[:, 1:], state.advance(rows, 0, None))
    assert not torch.allclose(second, blind)
    assert decoder.stack.layers[0].kernel.input_size == 7 + 12


def test_decoder_drops_while_training_only() -> None:
    memory, vectors = make_memory(5, 2), torch.randn(2, 4, 7)
    for feeding in (False, True):
        decoder = make_decoder(dropout=0.5, layers=1, input_feeding=feeding)
        trained, _ = decoder.step(vectors, decoder.start(memory))
        decoder.eval()
        evaluated, _ = decoder.step(vectors, decoder.start(memory))
        assert (trained == 0).any()
        assert not (evaluated == 0).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attention": "none", "bridge": "zero"}, r"decoder\.bridge must be copy or dense .* zero"),
        ({"attention": "none", "input_feeding": True}, r"decoder\.input_feeding must be false"),
        ({"attention": "multihead", "heads": 5}, r"decoder\.width must be a multiple .*\(5\).* 12"),
        ({"bridge": "copy"}, r"decoder\.bridge must be dense where .*\(8 x 2 and 12 x 2\)"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make_decoder(**changes)
