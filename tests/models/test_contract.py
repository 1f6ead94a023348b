"""What every architecture promises to search and training, whatever is inside.

Numbers are float32; results are equal within ``TOLERANCE``, because a sum over more
rows or columns may be taken in another order.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from architectures import (
    ARCHITECTURES,
    FRAMES,
    OVER_FRAMES,
    SYMBOLS,
    WITH_ATTENTION,
    make_model,
    make_source,
    make_source_for,
    make_target,
    sentences,
)
from transduce.errors import ConfigError, ModelError
from transduce.interfaces import END, Source
from transduce.models.joined_encoder import JoinedEncoder
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import load_weights, named_weights, save_weights

TOLERANCE = {"atol": 2e-5, "rtol": 1e-4}

LENGTHS = (6, 2, 4, 0)
SOURCES = sentences(*LENGTHS, seed=1)
TARGETS = sentences(5, 3, 7, 1, seed=2)


@pytest.fixture(params=ARCHITECTURES)
def model(request: pytest.FixtureRequest) -> Seq2Seq:
    return make_model(ARCHITECTURES[request.param])


def logits_of(model: Seq2Seq, sources: list[list[int]], targets: list[list[int]]) -> list[Tensor]:
    """Logits of the real positions of each sentence."""
    with torch.inference_mode():
        logits = model(make_source_for(model, sources), make_target(targets))
    return [row[: len(target) + 1] for row, target in zip(logits, targets, strict=True)]


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        assert_close(mine, theirs, **TOLERANCE)


# ---------------------------------------------------------------- training runs what search runs


@pytest.mark.parametrize("sizes", [[1] * 8, [3, 1, 4]])
def test_whole_target_is_step_by_step(model, sizes):
    target = make_target(TARGETS)
    with torch.inference_mode():
        whole = model(make_source_for(model, SOURCES), target)
        state = model.start(make_source_for(model, SOURCES))
        pieces = []
        for tokens in target.split(sizes, dim=1):
            logits, state = model.step(tokens, state)
            pieces.append(logits)
    assert_close(torch.cat(pieces, dim=1), whole, **TOLERANCE)
    assert whole.shape == (4, 8, SYMBOLS)


def test_a_state_is_not_changed_by_a_step(model):
    with torch.inference_mode():
        _, state = model.step(
            make_target(TARGETS)[:, :2], model.start(make_source_for(model, SOURCES))
        )
        first, _ = model.step(make_target(TARGETS)[:, 2:3], state)
        model.step(make_target(TARGETS)[:, 3:5], state)
        again, _ = model.step(make_target(TARGETS)[:, 2:3], state)
    assert torch.equal(first, again)


def test_no_token_sees_those_after_it(model):
    changed = [[*row[:2], *reversed(row[2:])] for row in TARGETS]
    before, after = (logits_of(model, SOURCES, targets) for targets in (TARGETS, changed))
    assert_same([row[:3] for row in after], [row[:3] for row in before])
    # Row 2 is longer: what follows does change.
    assert not torch.allclose(before[2][3:], after[2][3:], atol=1e-3)


# ---------------------------------------------------------------- neighbours, order, padding


def test_alone_is_as_in_a_batch(model):
    together = logits_of(model, SOURCES, TARGETS)
    alone = [
        logits_of(model, [source], [target])[0]
        for source, target in zip(SOURCES, TARGETS, strict=True)
    ]
    assert_same(alone, together)


def test_order_does_not_matter(model):
    order = [2, 0, 3, 1]
    shuffled = logits_of(model, [SOURCES[i] for i in order], [TARGETS[i] for i in order])
    together = logits_of(model, SOURCES, TARGETS)
    assert_same(shuffled, [together[i] for i in order])


def test_padding_does_not_matter(model):
    target = make_target(TARGETS)
    with torch.inference_mode():
        tight = model(make_source_for(model, SOURCES), target)
        loose = model(make_source_for(model, SOURCES, width=19), target)
        # What stands in the padding is nobody's business either.
        dirty = make_source_for(model, SOURCES, width=19)
        mask = dirty.mask if dirty.is_tokens else dirty.mask[:, :, None]
        noise = torch.randint_like(dirty.values, 4, SYMBOLS)
        other = model(replace(dirty, values=dirty.values.where(mask, noise)), target)
    assert_close(loose, tight, **TOLERANCE)
    assert_close(other, tight, **TOLERANCE)


def test_the_source_matters(model):
    changed = [[*row[:-1], row[-1] - 1 if row[-1] > 4 else 5] for row in SOURCES[:3]]
    before, after = (logits_of(model, given, TARGETS[:3]) for given in (SOURCES[:3], changed))
    for mine, theirs in zip(before, after, strict=True):
        assert (mine - theirs).abs().max() > 1e-3


# ---------------------------------------------------------------- beams


def beam_search_like_moves(model: Seq2Seq, beams: int, moves: int, *, select: bool):
    """Step, reorder and select at random; give each row's tokens, source and last logits."""
    generator = torch.Generator().manual_seed(3)

    def draw(high: int, *shape: int, low: int = 0) -> Tensor:
        return torch.randint(low, high, shape, generator=generator)

    sources = list(SOURCES)
    prefixes = make_target([[] for _ in SOURCES])
    logits, state = model.step(
        prefixes, model.start(make_source_for(model, sources), attention=True)
    )
    state = state.expand(beams)
    prefixes = prefixes.repeat_interleave(beams, dim=0)
    for move in range(moves):
        if select and move in (1, 2):
            kept = torch.tensor([2, 0, 1]) if move == 1 else torch.tensor([0, 2])
            state = state.select(kept)
            sources = [sources[i] for i in kept]
            prefixes = prefixes.view(-1, beams, prefixes.shape[1])[kept].flatten(0, 1)
        first = torch.arange(len(sources)).repeat_interleave(beams) * beams
        origin = first + draw(beams, len(first))
        tokens = draw(SYMBOLS, len(first), 1, low=4)
        prefixes = torch.cat([prefixes[origin], tokens], dim=1)
        logits, state = model.step(tokens, state.reorder(origin))
    rows = [source for source in sources for _ in range(beams)]
    return rows, prefixes, logits, state


@pytest.mark.parametrize("select", [False, True], ids=["reorder", "select"])
def test_beams_are_as_if_computed_afresh(model, select):
    with torch.inference_mode():
        rows, prefixes, logits, state = beam_search_like_moves(model, 3, 4, select=select)
        afresh, expected = model.step(
            prefixes, model.start(make_source_for(model, rows), attention=True)
        )
    assert len(set(map(tuple, prefixes.tolist()))) > len(rows) // 2
    assert_close(logits[:, -1], afresh[:, -1], **TOLERANCE)
    if state.attention is not None:
        longest = expected.attention.shape[2]
        assert_close(
            state.attention[:, -1, :longest], expected.attention[:, -1], atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize("name", WITH_ATTENTION)
def test_attention_moves_with_its_row(name):
    model = make_model(ARCHITECTURES[name])
    with torch.inference_mode():
        _, state = model.step(
            make_target(TARGETS), model.start(make_source_for(model, SOURCES), attention=True)
        )
    rows = state.expand(2).reorder(torch.tensor([1, 0, 3, 3, 4, 5, 7, 6]))
    assert torch.equal(rows.attention, state.attention[[0, 0, 1, 1, 2, 2, 3, 3]])
    assert torch.equal(state.select(torch.tensor([2, 0])).attention, state.attention[[2, 0]])
    assert torch.equal(state.reorder(torch.tensor([1, 1, 0, 3])).attention[0], state.attention[1])


def test_expand_does_not_copy_the_memory(model):
    with torch.inference_mode():
        state = model.start(make_source_for(model, SOURCES))
        expanded = state.expand(5)
        logits, after = model.step(torch.full((20, 1), 2), expanded)
    assert logits.shape == (20, 1, SYMBOLS)
    assert expanded.memory.vectors.data_ptr() == state.memory.vectors.data_ptr()
    assert after.memory.vectors.shape[0] == 4
    assert all(tensor.shape[0] == 20 for tensor in after.rows.values())
    assert all(tensor.shape[0] == 4 for tensor in after.sentences.values())


# ---------------------------------------------------------------- attention


@pytest.mark.parametrize("name", WITH_ATTENTION)
def test_attention_is_a_distribution_over_the_real_source(name):
    model = make_model(ARCHITECTURES[name])
    source = make_source_for(model, SOURCES, width=9)
    with torch.inference_mode():
        _, state = model.step(make_target(TARGETS), model.start(source, attention=True))
    attention = state.attention
    assert attention is not None
    assert attention.shape == (4, 8, state.mask.shape[1])
    assert state.mask.shape[1] == 9 or not source.is_tokens
    assert bool((attention >= 0).all())
    assert_close(attention.sum(-1), torch.ones(4, 8), atol=1e-5, rtol=0)
    assert not attention.masked_select(~state.mask[:, None]).any()


def test_attention_is_kept_only_where_asked_for(model):
    with torch.inference_mode():
        _, state = model.step(make_target(TARGETS), model.start(make_source_for(model, SOURCES)))
    assert (state.attention is None) == (model.pointer is None)


# ---------------------------------------------------------------- weights


def test_gradients_reach_every_parameter(model):
    # In float64, where a gradient that is zero but for rounding can be told from a small one.
    model = model.double().train()
    logits = model(
        make_source_for(model, sentences(6, 5, 4, seed=5)), make_target(sentences(5, 6, 4, seed=6))
    )
    loss = logits.log_softmax(-1)[:, :, 4:9].sum()
    if model.ctc is not None:
        state = model.start(make_source_for(model, sentences(6, 5, 4, seed=5)))
        loss = loss + model.ctc(state.memory)[:, :, 4:9].sum()
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert parameter.grad.abs().max() > 1e-9, name


def test_saved_and_loaded_is_the_same(model, tmp_path: Path, request):
    path = tmp_path / "model.safetensors"
    save_weights(named_weights(model), path)
    name = request.node.callspec.params["model"]
    other = make_model(ARCHITECTURES[name], seed=2)
    expected = logits_of(model, SOURCES, TARGETS)
    assert not torch.allclose(logits_of(other, SOURCES, TARGETS)[0], expected[0], atol=1e-3)
    load_weights(other, path)
    for mine, theirs in zip(logits_of(other, SOURCES, TARGETS), expected, strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("name", ["lstm-copy", "transformer-copy"])
def test_copying_makes_the_symbols_of_the_source_more_probable(name):
    model = make_model(ARCHITECTURES[name])
    copying = logits_of(model, SOURCES, TARGETS)
    with torch.no_grad():
        model.pointer.gate.bias.fill_(50.0)  # always generates
    generating = logits_of(model, SOURCES, TARGETS)
    symbols = model.pointer.symbols
    for source, mixed, plain in zip(SOURCES, copying, generating, strict=True):
        there = symbols[torch.tensor([*source, END])]
        assert bool((mixed[:, there] > plain[:, there]).all())
        others = torch.ones(SYMBOLS, dtype=torch.bool).index_fill(0, there, False)
        assert_close(mixed[:, others], plain[:, others])


def test_a_batch_of_the_shortest_sources():
    # Nothing but END: each sentence is one real position.
    for architecture in ARCHITECTURES.values():
        model = make_model(architecture)
        source = make_source_for(model, [[], []])
        assert isinstance(source, Source)
        with torch.inference_mode():
            logits = model(source, make_target([[4], [5]]))
        assert bool(logits.isfinite().all())


@pytest.mark.parametrize("name", OVER_FRAMES)
def test_one_frame_is_a_source_too(name):
    model, one = make_model(ARCHITECTURES[name]), torch.tensor([1])
    beside = make_source([[]]) if isinstance(model.encoder, JoinedEncoder) else None
    source = Source(torch.ones(1, 1, FRAMES), one, beside=beside)
    with torch.inference_mode():
        logits = model(source, make_target([[4, 5]]))
    assert bool(logits.isfinite().all())


def test_what_is_no_source_of_the_model_is_said():
    tokens, frames = make_source(SOURCES), Source(torch.ones(4, 3, FRAMES), torch.full((4,), 3))
    with pytest.raises(ModelError, match="source must be tokens for this model; got frames"):
        make_model(ARCHITECTURES["gru-general"])(frames, make_target(TARGETS))
    with pytest.raises(ModelError, match="source must be frames for this model; got tokens"):
        make_model(ARCHITECTURES["linear-gru"])(tokens, make_target(TARGETS))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"copy": True}, "model.copy must be false where the source is frames"),
        ({"tie": "all"}, "model.tie must be none or target where the source is frames"),
    ],
)
def test_what_only_tokens_have_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        make_model({**ARCHITECTURES["linear-gru"], **options})
