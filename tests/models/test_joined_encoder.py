"""Two inputs side by side: the memory that both make, against NumPy and one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from architectures import (
    ARCHITECTURES,
    FRAMES,
    SYMBOLS,
    _recurrent,
    make_model,
    make_source_for,
    make_target,
    sentences,
)
from transduce.config import ModelConfig, SearchConfig
from transduce.errors import ConfigError, ModelError
from transduce.interfaces import Batch, JoinedRow, Memory, Source
from transduce.models.build import build_model
from transduce.models.joined_encoder import MemoryJoint
from transduce.search import decode_all
from transduce.training.chunks.cut import cut

NAMES = ("joined-gru", "joined-transformer")


def memory(lengths: list[int], width: int, layers: int, seed: int) -> Memory:
    """Random vectors, also where nothing real stands."""
    chance = torch.Generator().manual_seed(seed)
    count = len(lengths)
    vectors = torch.randn(count, max(lengths), width, generator=chance, dtype=torch.float64)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    summary = torch.randn(count, layers, width, generator=chance, dtype=torch.float64)
    return Memory(vectors, mask, None, summary)


@pytest.mark.parametrize(("width", "layers"), [(6, 2), (4, 2), (4, 1), (6, 3)])
def test_a_joined_memory_is_both_one_after_the_other(width, layers):
    """In float64: a_i + u, then P b_j + v, then zeros; the summaries' sum."""
    torch.manual_seed(3)
    joint = MemoryJoint(6, width).double()
    lengths, others = [5, 1, 3], [1, 4, 2]
    first, second = memory(lengths, 6, 2, 1), memory(others, width, layers, 2)
    found = joint(first, second)
    assert found.mask.sum(1).tolist() == [6, 5, 5]
    assert found.vectors.shape == (3, 6, 6)
    u, v = joint.inputs.detach().numpy()
    P = np.eye(6) if width == 6 else joint.project.weight.detach().numpy()
    for place, (m, n) in enumerate(zip(lengths, others, strict=True)):
        a, b = first.vectors[place, :m].numpy(), second.vectors[place, :n].numpy()
        expected = np.zeros((6, 6))
        expected[: m + n] = np.concatenate([a + u, b @ P.T + v])
        np.testing.assert_allclose(found.vectors[place].detach().numpy(), expected, atol=1e-12)
        assert found.mask[place].tolist() == [True] * (m + n) + [False] * (6 - m - n)
        own = second.summary[place].numpy() if layers == 2 else second.summary[place, -1:].numpy()
        wanted = first.summary[place].numpy() + own @ P.T
        np.testing.assert_allclose(found.summary[place].detach().numpy(), wanted, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_both_inputs_reach_the_output(name):
    """Another text with the same frames, or other frames with the same text, is another source."""
    model = make_model(ARCHITECTURES[name])
    source = make_source_for(model, sentences(3, 5, seed=1))
    other = make_source_for(model, sentences(3, 5, seed=2))
    target = make_target([[4, 5], [6]])
    with torch.inference_mode():
        plain = model(source, target)
        text = model(Source(source.frames, source.lengths, beside=other.beside), target)
        frames = model(Source(other.frames, source.lengths, beside=source.beside), target)
    assert not torch.allclose(plain, text, atol=1e-4)
    assert not torch.allclose(plain, frames, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("engine", [False, True])
def test_padding_of_either_input_does_not_matter(name, engine):
    """Each source alone and beside one whose other input is longer: the same outputs."""
    from transduce.engine import fast_stepper

    model = make_model(ARCHITECTURES[name])
    stepper = fast_stepper(model, "float32") if engine else model
    chance = np.random.default_rng(5)
    rows = [
        JoinedRow(chance.standard_normal((frames, FRAMES)).astype(np.float32), text)
        for frames, text in ((3, [4, 5, 6, 7, 8, 9]), (17, []), (9, [5, 5]))
    ]
    options = SearchConfig(beam=3, max_length=6)
    together = [found[0] for found in decode_all(stepper, rows, options)]
    alone = [next(decode_all(stepper, [row], options))[0] for row in rows]
    assert [one.tokens for one in together] == [one.tokens for one in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-4)


def test_what_is_beside_goes_with_its_sentences():
    model = make_model(ARCHITECTURES["joined-gru"])
    rows = sentences(4, 2, 6, 1)
    source = make_source_for(model, rows)
    kept = source.select(torch.tensor([1, 3]))
    assert kept.beside is not None
    assert (
        kept.beside.tokens.tolist()
        == make_source_for(model, [rows[1], rows[3]]).beside.tokens.tolist()
    )
    assert source.to("cpu").beside.tokens.equal(source.beside.tokens)


def test_a_batch_is_cut_with_what_is_beside():
    model = make_model(ARCHITECTURES["joined-gru"])
    rows = sentences(*(1 + n % 5 for n in range(32)))
    source = make_source_for(model, rows)
    batch = Batch(
        source, torch.ones(32, 3, dtype=torch.int64), torch.full((32,), 2), tuple(range(32))
    )
    chunks = cut(batch, 2)
    assert [len(chunk.source.beside.lengths) for chunk in chunks] == [16, 16]
    assert torch.cat([chunk.source.beside.lengths for chunk in chunks]).equal(source.beside.lengths)


def test_one_input_alone_is_refused():
    model = make_model(ARCHITECTURES["joined-gru"])
    source = Source(torch.ones(1, 2, FRAMES), torch.tensor([2]))
    with pytest.raises(ModelError, match="source must have two inputs for this model; got one"):
        model.start(source)


@pytest.mark.parametrize(
    ("options", "size", "message"),
    [
        ({}, None, "model.beside must be none where a source is one input"),
        ({"ctc": True}, SYMBOLS, "model.ctc must be false where a source has two inputs; got true"),
    ],
)
def test_what_two_inputs_cannot_have_is_refused(options, size, message):
    config = ModelConfig.model_validate({**ARCHITECTURES["joined-gru"], **options})
    with pytest.raises(ConfigError, match=message):
        build_model(config, FRAMES, SYMBOLS, beside_size=size)


def test_two_inputs_of_frames():
    """A recording and a picture: each its own width and frontend."""
    beside = {"frontend": {"kind": "convolution2d", "channels": [2], "strides": [[2, 2]]}}
    recipe = {**_recurrent("gru"), "frontend": {"kind": "linear"}, "beside": beside}
    config = ModelConfig.model_validate(recipe)
    model = build_model(config, 5, SYMBOLS, picture_channels=(1, 3), beside_size=12).eval()
    picture = Source(torch.rand(2, 6, 12), torch.tensor([6, 1]))
    source = Source(torch.rand(2, 4, 5), torch.tensor([2, 4]), beside=picture)
    assert model.start(source).memory.mask.sum(1).tolist() == [2 + 3, 4 + 1]
