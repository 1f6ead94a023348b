"""Attention, rollout and value zeroing against their equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from explained_models import subject_of
from numpy.testing import assert_allclose

from transduce.explain.attentions.attention_maps import Looks, listen, on_units
from transduce.explain.attentions.attention_rollout import AttentionRollout
from transduce.explain.attentions.attention_weights import AttentionReading
from transduce.explain.attentions.value_zeroing import ValueZeroing


def kept_attention(subject, tokens: torch.Tensor) -> torch.Tensor:
    """What the decoder's own state says, ``[T, S]``."""
    with torch.no_grad():
        state = subject.model.start(subject.source, attention=True)
        return subject.model.step(tokens, state)[1].attention[0]


@pytest.mark.parametrize(
    "name", ["transformer", "lstm-multihead", "gru-feeding", "gru-cosine", "rnn-feeding"]
)
def test_attention_is_what_the_decoder_keeps(name):
    subject = subject_of(name)
    found = AttentionReading().weigh(subject).source
    assert_allclose(found, kept_attention(subject, subject.prefix), atol=1e-6)
    last = subject.question.target[-1:][None]
    shifted = AttentionReading(shifted=True).weigh(subject).source
    longer = torch.cat([subject.prefix, last], dim=1)
    assert_allclose(shifted, kept_attention(subject, longer)[1:], atol=1e-6)


def test_heads_and_layers():
    subject = subject_of("transformer")
    looks = listen(subject, subject.prefix)
    assert [len(layers) for layers in (looks.encoder, looks.own, looks.cross)] == [2, 2, 2]
    of_head = [AttentionReading(layer=0, head=n).weigh(subject).source for n in range(4)]
    assert not np.allclose(of_head[0], of_head[1], atol=1e-3)
    mean = AttentionReading(layer=0).weigh(subject).source
    assert_allclose(torch.stack(of_head).mean(0), mean, atol=1e-12)


def test_local_attention_is_shown_as_weights_of_all_positions():
    subject = subject_of("linear-window", length=6)  # 35 frames, which are encoded by blocks
    weights = listen(subject, subject.prefix).encoder[0]
    assert weights.shape == (4, 35, 35)
    assert_allclose(weights.sum(-1), torch.ones(4, 35), atol=1e-6)
    far = (torch.arange(35)[:, None] - torch.arange(35)).abs() > 2
    assert not weights[:, far].any()
    assert weights[:, ~far].all()
    for method in (AttentionRollout(), ValueZeroing()):
        assert method.weigh(subject).source.isfinite().all()


def test_what_a_summary_weighs_is_shared_by_its_block():
    subject = subject_of("linear-global", length=6)  # 35 frames, blocks of 4, a window of 5
    weights = listen(subject, subject.prefix).encoder[0]
    assert weights.shape == (4, 35, 35)
    assert_allclose(weights.sum(-1), torch.ones(4, 35), atol=1e-6)
    far = weights[:, 0, 8:32].reshape(4, 6, 4)  # of the first position, beyond its window
    assert far.all()
    assert_allclose(far, far[:, :, :1].expand(-1, -1, 4), atol=1e-12)
    assert_allclose(weights[:, 0, 32:], weights[:, 0, 32:33].expand(-1, 3), atol=1e-12)
    for method in (AttentionRollout(), ValueZeroing()):
        assert method.weigh(subject).source.isfinite().all()


def test_weights_over_frames_lie_where_they_were_looked_at():
    subject = subject_of("patches-transformer")
    memory = kept_attention(subject, subject.prefix).double()
    found = on_units(subject, memory)
    assert_allclose(found.sum(1), torch.ones(3), atol=1e-6)
    # patches are 3 columns wide and 2 rows high, cells 5 columns by 3 rows: each by hand
    by_number = np.zeros((3, 20, 6))
    for column in range(20):
        for row in range(6):
            place = column // 3 * 3 + row // 2
            size = 6 if column // 3 < 6 else 4
            by_number[:, column, row] = memory[:, place] / size
    by_cell = by_number.reshape(3, 4, 5, 2, 3).sum((2, 4)).reshape(3, 8)
    assert_allclose(found, by_cell, atol=1e-9)


def test_rollout_is_the_product_of_halved_attentions():
    chance = np.random.default_rng(1)

    def weights(rows: int, columns: int) -> np.ndarray:
        drawn = chance.random((2, rows, columns))  # two heads
        return drawn / drawn.sum(-1, keepdims=True)

    encoder, cross = [weights(4, 4) for _ in range(2)], [weights(3, 4) for _ in range(2)]
    own = [weights(3, 3) for _ in range(2)]
    looks = Looks(*(tuple(map(torch.from_numpy, layers)) for layers in (encoder, own, cross)))
    source, before = AttentionRollout()._rollout(looks, recurrent=False)
    half = [0.5 * layer.mean(0) + 0.5 * np.eye(4) for layer in encoder]
    memory = half[1] @ half[0]
    # Rows of all that flows: first the prefix, then the source.
    flow = np.hstack([np.eye(3), np.zeros((3, 4))])
    for looked, read in zip(own, cross, strict=True):
        flow = (0.5 * looked.mean(0) + 0.5 * np.eye(3)) @ flow
        flow = 0.5 * flow + 0.5 * np.hstack([np.zeros((3, 3)), read.mean(0) @ memory])
    assert_allclose(np.hstack([before, source]), flow, atol=1e-12)
    assert_allclose(flow.sum(1), 1)


def cosine_distance(a: np.ndarray, b: np.ndarray) -> float:
    return 1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def test_value_zeroing_of_an_encoder_layer():
    """The layer computed anew from its weights, in float64."""
    subject = subject_of("transformer", double=True)
    model = subject.model
    w = {name: p.detach().numpy() for name, p in model.encoder.layers[0].named_parameters()}
    with torch.no_grad():
        entered = model.encoder.entry(model.enter(subject.source)[0])[0].numpy()
    looks = listen(subject, subject.prefix).encoder[0].numpy()

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
        return x * w[f"{name}.norm.weight"] + w[f"{name}.norm.bias"]

    def layer(without: int | None) -> np.ndarray:
        read = norm(entered, "attention_residual")
        values = read @ w["attention.value.weight"].T + w["attention.value.bias"]
        if without is not None:
            values[without] = 0
        heads = [looks[n] @ values[:, 4 * n : 4 * n + 4] for n in range(4)]
        attended = np.hstack(heads) @ w["attention.output.weight"].T + w["attention.output.bias"]
        x = entered + attended
        inner = norm(x, "feedforward_residual") @ w["feedforward.inner.weight"].T
        inner = np.maximum(0, inner + w["feedforward.inner.bias"])
        return x + inner @ w["feedforward.output.weight"].T + w["feedforward.output.bias"]

    whole = layer(None)
    expected = np.array(
        [[cosine_distance(layer(j)[i], whole[i]) for j in range(4)] for i in range(4)]
    )
    expected /= expected.sum(1, keepdims=True)

    model.encoder.layers = model.encoder.layers[:1]
    model.encoder.norm = torch.nn.Identity()
    mixing = first_encoder_mixing(subject)
    assert_allclose(mixing, expected, rtol=1e-6)


def first_encoder_mixing(subject) -> torch.Tensor:
    from transduce.explain.attentions import value_zeroing

    with torch.no_grad(), value_zeroing._inputs(subject.model) as heard:
        value_zeroing.run(subject.model, subject.source, subject.prefix)
    with torch.no_grad():
        return value_zeroing._encoder_mixing(subject, subject.model, heard)


@pytest.mark.parametrize("name", ["lstm-multihead", "gru-feeding", "lstm-additive"])
def test_value_zeroing_over_a_recurrent_decoders_memory(name):
    """Against contexts that are summed anew without one vector."""
    subject = subject_of(name, double=True)
    decoder, found = subject.model.decoder, []
    with torch.no_grad():
        for token_row in [subject.prefix]:
            state = subject.model.start(subject.source, attention=True)
            memory, attention = state.memory, decoder.attention
            joined = []
            handle = decoder.combine.register_forward_pre_hook(
                lambda _, given, joined=joined: joined.append(given[0])
            )
            subject.model.step(token_row, state)
            handle.remove()
            hidden = torch.cat(joined, dim=1)[..., : decoder.width]
            for step in range(3):
                row = []
                prepared = state.sentences
                queries = hidden[:, step : step + 1]
                context, weights = attention(queries, prepared, memory.vectors, memory.mask)
                whole = decoder.combine(torch.cat([queries, context], -1)).tanh()[0, 0]
                for place in range(4):
                    if "values" in prepared:  # of several heads
                        values = prepared["values"].clone()
                        values[:, :, place] = 0
                        other = {**prepared, "values": values}
                        changed, _ = attention(queries, other, memory.vectors, memory.mask)
                    else:
                        vectors = memory.vectors.clone()
                        vectors[:, place] = 0
                        changed = weights @ vectors
                    output = decoder.combine(torch.cat([queries, changed], -1)).tanh()[0, 0]
                    row.append(cosine_distance(output.numpy(), whole.numpy()))
                found.append(np.array(row) / np.sum(row))
    assert_allclose(ValueZeroing().weigh(subject).source, np.array(found), rtol=1e-5, atol=1e-9)
