from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from transduce.errors import ModelError
from transduce.interfaces import Memory, Source
from transduce.models.state import DecoderState
from transduce.models.transformer import TransformerDecoder, TransformerEncoder
from transduce.modules.transformer import StackOptions

WIDTH = 16
PLAIN = StackOptions(width=WIDTH, layers=2, feedforward=24, heads=4, max_positions=12)
POSITIONS = ["sinusoidal", "fairseq", "learned", "rotary", "relative", "none"]


def make_encoder(input_width: int = WIDTH, **changes) -> TransformerEncoder:
    torch.manual_seed(0)
    return TransformerEncoder(input_width, dataclasses.replace(PLAIN, **changes)).double()


def make_decoder(
    input_width: int = WIDTH, memory_width: int = WIDTH, **changes
) -> TransformerDecoder:
    torch.manual_seed(1)
    options = dataclasses.replace(PLAIN, **changes)
    return TransformerDecoder(input_width, options, memory_width=memory_width).double()


def make_source(*lengths: int, width: int | None = None) -> Source:
    longest = width or max(lengths)
    tokens = torch.tensor([[4] * n + [0] * (longest - n) for n in lengths])
    return Source(tokens, torch.tensor(lengths))


def make_memory(*lengths: int, width: int = WIDTH) -> Memory:
    source = make_source(*lengths)
    vectors = torch.randn(*source.tokens.shape, width, dtype=torch.float64)
    return Memory(vectors, source.mask, source.tokens, vectors.mean(1, keepdim=True))


def steps(decoder: TransformerDecoder, vectors: Tensor, state: DecoderState, sizes: list[int]):
    outputs = []
    for piece in vectors.split(sizes, dim=1):
        output, state = decoder.step(piece, state)
        outputs.append(output)
    return torch.cat(outputs, 1), state


def test_memory_is_what_the_interface_says():
    encoder = make_encoder(input_width=6)
    source = make_source(5, 3)
    memory = encoder(torch.randn(2, 5, 6, dtype=torch.float64), source)
    assert encoder.width == WIDTH
    assert memory.vectors.shape == (2, 5, WIDTH)
    assert torch.equal(memory.mask, source.mask)
    assert memory.tokens is source.tokens
    expected = torch.stack([memory.vectors[0].mean(0), memory.vectors[1, :3].mean(0)])
    torch.testing.assert_close(memory.summary, expected[:, None])


@pytest.mark.parametrize("positions", POSITIONS)
def test_encoder_ignores_padding(positions):
    encoder = make_encoder(positions=positions)
    vectors = torch.randn(1, 9, WIDTH, dtype=torch.float64)
    alone = encoder(vectors[:, :4], make_source(4))
    padded = encoder(vectors, make_source(4, width=9))
    torch.testing.assert_close(padded.vectors[:, :4], alone.vectors)
    torch.testing.assert_close(padded.summary, alone.summary)


@pytest.mark.parametrize("positions", POSITIONS)
def test_encoder_knows_the_order_but_for_none(positions):
    encoder = make_encoder(positions=positions)
    vectors = torch.randn(1, 6, WIDTH, dtype=torch.float64)
    forwards = encoder(vectors, make_source(6)).vectors
    backwards = encoder(vectors.flip(1), make_source(6)).vectors.flip(1)
    assert torch.allclose(forwards, backwards) == (positions == "none")


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("norm_position", ["pre", "post"])
def test_decoder_in_pieces_is_the_whole(positions, norm_position):
    decoder = make_decoder(positions=positions, norm_position=norm_position, key_value_heads=2)
    vectors = torch.randn(2, 8, WIDTH, dtype=torch.float64)
    start = decoder.start(make_memory(5, 3), attention=True)
    whole, state = steps(decoder, vectors, start, [8])
    assert state.position == 8
    for sizes in ([1] * 8, [3, 5], [1, 4, 3]):
        pieces, last = steps(decoder, vectors, start, sizes)
        torch.testing.assert_close(pieces, whole)
        assert last.attention is not None
        torch.testing.assert_close(last.attention, state.attention[:, -sizes[-1] :])


def test_cache_has_the_shapes_it_says():
    decoder = make_decoder(key_value_heads=2, memory_width=10)
    start = decoder.start(make_memory(5, 3, width=10))
    assert decoder.width == WIDTH
    assert start.sentences["memory_key.1"].shape == (2, 2, 5, 4)
    assert start.sentences["memory_value.0"].shape == (2, 2, 5, 4)
    _, state = steps(decoder, torch.randn(2, 3, WIDTH, dtype=torch.float64), start, [2, 1])
    assert sorted(state.rows) == ["key.0", "key.1", "value.0", "value.1"]
    assert all(tensor.shape == (2, 2, 3, 4) for tensor in state.rows.values())


def test_attention_is_kept_only_where_asked_for():
    decoder = make_decoder()
    vectors = torch.randn(2, 3, WIDTH, dtype=torch.float64)
    assert decoder.step(vectors, decoder.start(make_memory(5, 3)))[1].attention is None
    attention = decoder.step(vectors, decoder.start(make_memory(5, 3), attention=True))[1].attention
    assert attention.shape == (2, 3, 5)
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 3, dtype=torch.float64))
    assert not attention[1, :, 3:].any()


def test_attention_is_the_mean_of_the_last_layer_s_heads():
    decoder = make_decoder()
    seen = []
    attention = decoder.layers[-1].memory_attention
    attention.dropout.register_forward_hook(lambda module, given, output: seen.append(given[0]))
    vectors = torch.randn(2, 3, WIDTH, dtype=torch.float64)
    _, state = decoder.step(vectors, decoder.start(make_memory(5, 3), attention=True))
    (weights,) = seen
    assert weights.shape == (2, 4, 3, 5)
    expected = sum(weights[:, head] for head in range(4)) / 4
    torch.testing.assert_close(state.attention, expected)


def test_decoder_spends_all_relative_buckets_on_the_past():
    decoder = make_decoder(positions="relative", layers=1)
    vectors = torch.randn(1, 140, WIDTH, dtype=torch.float64)
    output, _ = decoder.step(vectors, decoder.start(make_memory(3)))
    output.square().mean().backward()
    assert bool(decoder.relative.weight.grad.abs().gt(0).all())
    assert make_encoder(positions="relative").relative.bidirectional


@pytest.mark.parametrize("positions", POSITIONS)
def test_beams_read_one_memory(positions):
    decoder = make_decoder(positions=positions)
    memory = make_memory(5, 3)
    vectors = torch.randn(6, 4, WIDTH, dtype=torch.float64)
    state = decoder.start(memory, attention=True).expand(3)
    assert state.sentences["memory_key.0"].shape[0] == 2
    ours, state = steps(decoder, vectors, state, [1, 2, 1])
    every = torch.tensor([0, 0, 0, 1, 1, 1])
    theirs, copied = steps(
        decoder, vectors, decoder.start(memory.select(every), attention=True), [1, 2, 1]
    )
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(state.attention, copied.attention)


def test_learned_positions_end_with_a_message():
    encoder, decoder = make_encoder(positions="learned"), make_decoder(positions="learned")
    with pytest.raises(ModelError, match=r"at most 12 tokens.*got 13"):
        encoder(torch.zeros(1, 13, WIDTH, dtype=torch.float64), make_source(13))
    state = decoder.start(make_memory(2))
    _, state = decoder.step(torch.zeros(1, 12, WIDTH, dtype=torch.float64), state)
    with pytest.raises(ModelError, match=r"at most 12 tokens.*got 13"):
        decoder.step(torch.zeros(1, 1, WIDTH, dtype=torch.float64), state)


def test_dropout_falls_on_what_enters_and_on_each_sub_layer():
    decoder = make_decoder(dropout=0.5)
    state = decoder.start(make_memory(3))
    vectors = torch.randn(1, 4, WIDTH, dtype=torch.float64)

    def varies() -> bool:
        return not torch.equal(decoder.step(vectors, state)[0], decoder.step(vectors, state)[0])

    drops = [module for module in decoder.modules() if getattr(module, "rate", 0) == 0.5]
    assert len(drops) == 1 + 3 * 2
    for drop in drops:
        drop.eval()
    assert not varies()
    for drop in drops:
        drop.train()
        assert varies()
        drop.eval()


def test_bias_false_leaves_no_bias():
    decoder = make_decoder(bias=False)
    assert not [name for name, _ in decoder.named_parameters() if name.endswith("bias")]
    assert [name for name, _ in make_decoder().named_parameters() if name.endswith("bias")]


def test_layers_share_one_relative_bias():
    names = [name for name, _ in make_decoder(positions="relative").named_parameters()]
    assert [name for name in names if "relative" in name] == ["relative.weight"]


@pytest.mark.parametrize("changes", [{"norm_position": "post"}, {"positions": "none"}])
def test_options_have_no_idle_weights(changes):
    plain = dict(make_decoder().named_parameters())
    changed = dict(make_decoder(**changes).named_parameters())
    assert "norm.weight" in plain
    assert ("norm.weight" in changed) == ("norm_position" not in changes)
    assert not [name for name in changed if "position" in name]


def test_residual_stream_stays_float32_under_autocast():
    encoder = TransformerEncoder(6, PLAIN)
    with torch.autocast("cpu", torch.bfloat16):
        entered = encoder.entry(torch.randn(2, 3, 6))
        memory = encoder(torch.randn(2, 3, 6), make_source(3, 2))
    assert entered.dtype == torch.float32
    assert memory.vectors.dtype == torch.float32


def test_autocast_is_near_float32():
    decoder = TransformerDecoder(WIDTH, PLAIN, memory_width=WIDTH)
    memory = make_memory(5, 3)
    memory = dataclasses.replace(memory, vectors=memory.vectors.float())
    vectors = torch.randn(2, 4, WIDTH)
    exact, _ = steps(decoder, vectors, decoder.start(memory), [1, 1, 1, 1])
    with torch.autocast("cpu", torch.bfloat16):
        rounded, _ = steps(decoder, vectors, decoder.start(memory), [1, 1, 1, 1])
    assert (exact - rounded).abs().max() < 0.05
