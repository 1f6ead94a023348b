"""Shortlists in the engine: its logits and searches are those of a softmax over the list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from engine_kernels import LESSER, kernels
from torch import Tensor

from architectures import ARCHITECTURES, SYMBOLS, make_model, make_source_for
from transduce.compress import shrunk
from transduce.config import SearchConfig
from transduce.engine import fast_stepper
from transduce.engine.programs.program import Number, Program
from transduce.errors import EngineError
from transduce.interfaces import BEGIN, END, Source
from transduce.kernels.running.runner import Extent, Runner
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import adopt_weights, named_weights
from transduce.search import Hypothesis, decode

NUMBERS: list[Number] = ["float32", "bfloat16", "int8", "int4"]
SOURCES = [[5, 6, 7, 12], [], [9, 10, 11, 12, 5, 6], [4, 4], [8]]
OWN = [[5, 7, 9, 11], [4, 6], [4, 5, 6, 12, 13], [], [7]]
KINDS = ["gru-general", "lstm-none", "lstm-copy", "transformer-learned", "transformer-copy"]


def padded(lists: list[list[int]]) -> Tensor:
    width = max(map(len, lists)) + END + 1
    rows = [[*range(END + 1), *own] for own in lists]
    return torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])


def opinionated(name: str, number: str = "float32") -> Seq2Seq:
    model = make_model(ARCHITECTURES[name])
    torch.manual_seed(4)
    with torch.no_grad():
        model.output.weight.normal_(0, 1.0)
        model.output.bias.normal_(0, 0.5)
    if number == "int4":  # multiplies what is stored in it
        adopt_weights(model, {n: shrunk(w, "int4") for n, w in named_weights(model).items()})
    return model


def by_hand(logits: Tensor, listed: list[int]) -> Tensor:
    """The logits of one sentence ``[…, V]`` without those of other tokens."""
    kept = torch.full_like(logits, -torch.inf)
    kept[..., listed] = logits[..., listed]
    return kept


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_list_of_all_tokens_changes_no_bit(name: str, number: Number) -> None:
    kernels()
    model = opinionated(name, number)
    source = make_source_for(model, SOURCES)
    every = torch.arange(SYMBOLS).repeat(len(SOURCES), 1)
    engine = fast_stepper(model, number)
    for options in ({}, {"beam": 3, "nbest": 3}, {"beam": 2, "no_repeat_ngram": 2}):
        search = SearchConfig(max_length=6, **options)
        listed = replace(source, shortlist=every)
        assert decode(engine, listed, search) == decode(engine, source, search)
        assert decode(model, listed, search) == decode(model, source, search)


@pytest.mark.parametrize("number", ["reference", *NUMBERS])
@pytest.mark.parametrize("name", ["gru-general", "transformer-learned"])
def test_logits_are_those_of_the_list(name: str, number: Any) -> None:
    kernels()
    model = opinionated(name, number)
    stepper = fast_stepper(model, number)
    source = make_source_for(model, SOURCES)
    listed = replace(source, shortlist=padded(OWN))
    beams = 3
    read = torch.randint(4, SYMBOLS, (len(SOURCES) * beams, 2))
    read[:, 0] = BEGIN
    expected, _ = stepper.step(read, stepper.start(source).expand(beams))
    found, state = stepper.step(read, stepper.start(listed).expand(beams))
    for row, (mine, theirs) in enumerate(zip(found, expected, strict=True)):
        own = [*range(END + 1), *OWN[row // beams]]
        assert torch.equal(mine, by_hand(theirs, own))
    # Sentences that stay keep their lists.
    kept = torch.tensor([2, 0])
    again, _ = stepper.step(read[:6, :1], state.select(kept))
    assert (again > -torch.inf).sum(2).tolist() == [[9]] * beams + [[8]] * beams


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", KINDS)
def test_model_steps_and_searches_agree(name: str, number: Number) -> None:
    kernels()
    model = opinionated(name, number)
    source = replace(make_source_for(model, SOURCES), shortlist=padded(OWN))
    engine = fast_stepper(model, number)
    for options in ({}, {"beam": 3, "nbest": 3}, {"beam": 2, "min_length": 2}):
        search = SearchConfig(max_length=5, **options)
        whole = decode(engine, source, search)
        steps = decode(engine, source, search.model_copy(update={"no_repeat_ngram": 99}))
        assert_alike(whole, steps, 1e-4)
        if number == "float32":
            assert_alike(whole, decode(model, source, search), 1e-3)
        if "copy" not in name:
            for own, outputs in zip(OWN, whole, strict=True):
                assert all(set(hypothesis.tokens) <= {*own} for hypothesis in outputs)


def with_others(source: Source, model: Seq2Seq, strength: float = 1.0) -> Source:
    """With a logit that stands for all tokens in no list."""
    width = model.output.weight.shape[1]
    row = strength * torch.randn(width + 1, generator=torch.Generator().manual_seed(6))
    return replace(source, unlisted=row.repeat(len(source.lengths), 1))


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", KINDS)
def test_what_is_in_no_list_has_its_share(name: str, number: Number) -> None:
    kernels()
    model = opinionated(name, number)
    listed = replace(make_source_for(model, SOURCES), shortlist=padded(OWN))
    source = with_others(listed, model)
    engine = fast_stepper(model, number)
    for options in ({}, {"beam": 3, "nbest": 3}):
        search = SearchConfig(max_length=5, **options)
        whole = decode(engine, source, search)
        assert_alike(
            whole,
            decode(engine, source, search.model_copy(update={"no_repeat_ngram": 99})),
            1e-4,
        )
        if number == "float32":
            assert_alike(whole, decode(model, source, search), 1e-3)
        best = [outputs[0].score for outputs in whole]
        assert best != [outputs[0].score for outputs in decode(engine, listed, search)]
    kept = torch.tensor([2, 0])
    fewer = decode(engine, source.select(kept), search)
    assert fewer == [whole[2], whole[0]]


def test_shares_that_are_none_are_refused() -> None:
    kernels()
    model = opinionated("transformer-learned")
    engine = fast_stepper(model, "float32")
    listed = replace(make_source_for(model, [[5, 6]]), shortlist=padded([[5]]))
    source = with_others(listed, model)
    assert source.unlisted is not None
    for options in (SearchConfig(max_length=3), SearchConfig(max_length=3, no_repeat_ngram=2)):
        with pytest.raises(EngineError, match="unlisted must hold finite numbers"):
            decode(engine, replace(source, unlisted=torch.nan * source.unlisted), options)
        with pytest.raises(EngineError, match=r"unlisted must have .* bytes; got"):
            decode(engine, replace(source, unlisted=source.unlisted[:, 1:]), options)


def assert_alike(
    found: list[list[Hypothesis]], wanted: list[list[Hypothesis]], near: float
) -> None:
    for mine, theirs in zip(found, wanted, strict=True):
        assert [h.tokens for h in mine] == [h.tokens for h in theirs]
        assert [h.score for h in mine] == pytest.approx([h.score for h in theirs], abs=near)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", KINDS)
def test_a_sentence_does_not_see_the_lists_of_others(name: str, number: Number) -> None:
    kernels()
    model = opinionated(name, number)
    engine = fast_stepper(model, number)
    source = replace(make_source_for(model, SOURCES), shortlist=padded(OWN))
    for options in ({}, {"beam": 3, "nbest": 3}, {"beam": 3, "no_repeat_ngram": 2}):
        search = SearchConfig(max_length=6, **options)
        together = decode(engine, source, search)
        for place in range(len(SOURCES)):
            alone = source.select(torch.tensor([place]))
            assert decode(engine, alone, search) == [together[place]]


@pytest.mark.parametrize("architecture", [None, *LESSER])
@pytest.mark.parametrize("number", NUMBERS)
def test_products_of_odd_sizes(number: Number, architecture: str | None) -> None:
    """Candidates and logits of lists that fill no panel, against the whole product's logits."""
    generator = torch.Generator().manual_seed(3)
    for columns, depth, sentences, beams in [
        (5, 1, 1, 1),
        (17, 7, 2, 3),
        (33, 31, 7, 1),
        (200, 40, 9, 2),
    ]:
        program = Program(kernels(architecture), number)
        source = program.buffer(depth)
        program.fetch("x", source, stride=depth)
        weight = torch.randn(columns, depth, generator=generator)
        weight = shrunk(weight, "int4") if number == "int4" else weight
        program.vocabulary(source, weight, torch.randn(columns, generator=generator), END)
        runner, rows = Runner(program), sentences * beams
        x = torch.randn(rows, depth, generator=generator)
        logits = torch.empty(rows, columns)
        runner.run({"x": x, "logits": logits}, Extent(rows, sentences, 1))
        chances = torch.rand(sentences, columns, generator=generator)
        wanted = chances < torch.rand(sentences, 1, generator=generator)
        wanted[:, : END + 1] = True
        lists = [row.nonzero().flatten().tolist()[END + 1 :] for row in wanted]
        shortlist = padded(lists)
        extent = Extent(rows, sentences, 1, listed=shortlist.shape[1])
        found = torch.empty(rows, columns)
        runner.run({"x": x, "logits": found, "shortlist": shortlist}, extent)
        kept = wanted.repeat_interleave(beams, 0)
        assert torch.equal(found, logits.masked_fill(~kept, -torch.inf))
        count = min(3, columns - END)
        scores, chosen = torch.empty(rows, count), torch.empty(rows, count, dtype=torch.int64)
        given = {"x": x, "scores": scores, "chosen": chosen, "shortlist": shortlist}
        runner.run(given, replace(extent, candidates=count))
        best = found.double().log_softmax(1)[:, END:].sort(dim=1, descending=True, stable=True)
        real = best.values[:, :count].isfinite()
        assert torch.equal(scores.isfinite(), real)
        assert torch.equal(chosen[real], best.indices[:, :count][real] + END)
        assert torch.allclose(scores[real], best.values[:, :count][real].float(), atol=1e-5)


@pytest.mark.parametrize(
    "lists",
    [
        [[0, 1, 2, 3, 99]],
        [[0, 1, 2, 3, -1]],
        [[0, 1, 2, 3, 3]],
        [[0, 1, 2, 5, 4]],
        [[0, 1, 2, 0, 4]],
    ],
)
def test_lists_that_are_none_are_refused(lists: list[list[int]]) -> None:
    kernels()
    model = opinionated("transformer-learned")
    engine = fast_stepper(model, "float32")
    source = make_source_for(model, [[5, 6]])
    for options in (SearchConfig(max_length=3), SearchConfig(max_length=3, no_repeat_ngram=2)):
        with pytest.raises(EngineError, match="shortlist must be"):
            decode(engine, replace(source, shortlist=torch.tensor(lists)), options)


def test_lists_of_other_sentences_are_refused() -> None:
    kernels()
    model = opinionated("transformer-learned")
    engine = fast_stepper(model, "float32")
    source = Source.of_tokens([[5, 6], [7]])
    with pytest.raises(Exception, match="shortlist must have 2 numbers; got 1"):
        decode(engine, replace(source, shortlist=padded([[5]])), SearchConfig(max_length=3))
    short = Extent(2, 2, 1, listed=4)
    program = Program(kernels(), "float32")
    buffer = program.buffer(3)
    program.fetch("x", buffer, stride=3)
    program.vocabulary(buffer, torch.randn(8, 3), torch.zeros(8), END)
    given = {"x": torch.randn(2, 3), "logits": torch.empty(2, 8), "shortlist": padded([[]])}
    with pytest.raises(EngineError, match="shortlist must have 64 bytes; got 32"):
        Runner(program).run(given, short)
    with pytest.raises(EngineError, match="shortlist must be given"):
        Runner(program).run({name: given[name] for name in ("x", "logits")}, short)
