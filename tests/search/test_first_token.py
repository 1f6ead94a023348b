"""The first token of outputs, where it is the likeliest of a few, as a guessed language is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_fakes import TableStepper, make_source

from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.interfaces import BEGIN, Source
from transduce.search import Constraints, Hypothesis, decode, decode_all, decode_segments

CHOICES = (7, 5, 6)


Outputs = list[list[Hypothesis]]


def assert_alike(found: Outputs, expected: Outputs) -> None:
    assert [[h.tokens for h in own] for own in found] == [[h.tokens for h in e] for e in expected]
    scores = [[h.score for own in outputs for h in own] for outputs in (found, expected)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


@torch.no_grad()
def likeliest(model: TableStepper, source: Source) -> list[int]:
    begin = torch.full((len(source.lengths), 1), BEGIN)
    logits = model.step(begin, model.start(source))[0][:, -1]
    return [max(sorted(CHOICES), key=lambda token: float(row[token])) for row in logits]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.sampled_from([{}, {"beam": 3, "nbest": 2}, {"sample": True}]))
def test_each_sentence_is_searched_as_if_its_token_had_been_told(
    seed: int, options: dict[str, Any]
) -> None:
    model = TableStepper(seed=seed, size=9)
    rows = [(4, 5), (6,), (8, 8, 4), (5, 5, 5, 5), (7,)]
    config = SearchConfig(max_length=6, **options)
    told = Constraints(prefix=(8,), banned_first=(4,), free=1)
    found = decode(model, make_source(rows), config, replace(told, first_of=CHOICES))
    for number, (row, token) in enumerate(
        zip(rows, likeliest(model, make_source(rows)), strict=True)
    ):
        begun = replace(told, prefix=(token, 8), free=2)
        expected = decode(model, make_source([row]), config, begun, [number])
        assert_alike([found[number]], expected)
        assert found[number][0].token_scores[:2] == (0.0, 0.0)


def test_parts_of_a_source_begin_as_its_first_part_does() -> None:
    model = _Heard()
    clips = [[_clip(6), _clip(5)], [_clip(5)], [_clip(7), _clip(5), _clip(6)]]
    for options in (SearchConfig(max_length=4), SearchConfig(max_length=4, sample=True)):
        expected = None
        for window in (1, 2, 9):
            found = list(
                decode_segments(model, clips, options, Constraints(first_of=CHOICES), window=window)
            )
            assert [h[0].tokens[0] for h in found] == [6, 6, 5, 7, 7, 7]
            assert_alike(found, expected or found)
            expected = found
    alone = [segment for clip in clips for segment in clip]
    plain = decode_segments(model, clips, SearchConfig(max_length=4))
    assert_alike(list(plain), list(decode_all(model, alone, SearchConfig(max_length=4))))


def test_what_is_no_token_is_refused() -> None:
    model, source = TableStepper(seed=1, size=9), make_source([(4,)])
    with pytest.raises(SearchError, match=r"tokens below the vocabulary's size \(9\); got 9"):
        decode(model, source, SearchConfig(), Constraints(first_of=(5, 9)))
    with pytest.raises(SearchError, match="first token must hold only tokens a model writes"):
        decode(model, source, SearchConfig(), Constraints(first_of=(5, BEGIN)))
    with pytest.raises(SearchError, match=r"prefix must have at most max_length \(1\) tokens"):
        decode(model, source, SearchConfig(max_length=1), Constraints((4,), first_of=(5,)))
    with pytest.raises(SearchError, match="prefix must have at most max_length"):
        decode_segments(
            _Heard(), [], SearchConfig(max_length=1), Constraints(prefix=(4,), first_of=(5,))
        )


def _clip(token: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.full((3, 2), token, np.float32)


class _Heard:
    """Holds the token that a clip is made of most probable, but END after three tokens."""

    def start(self, source: Source, *, attention: bool = False) -> _HeardState:
        return _HeardState(source.frames[:, 0, 0].long(), 0)

    def step(self, tokens: torch.Tensor, state: _HeardState) -> tuple[torch.Tensor, _HeardState]:
        count = state.read + tokens.shape[1]
        logits = torch.zeros(*tokens.shape, 9)
        logits[..., 3] = -9.0 if count < 4 else 9.0
        logits.scatter_(2, state.heard[:, None, None].expand(*tokens.shape, 1), 3.0)
        return logits, _HeardState(state.heard, count)


class _HeardState:
    attention = None

    def __init__(self, heard: torch.Tensor, read: int) -> None:
        self.heard, self.read = heard, read

    def expand(self, beams: int) -> _HeardState:
        return _HeardState(self.heard.repeat_interleave(beams), self.read)

    def reorder(self, rows: torch.Tensor) -> _HeardState:
        return _HeardState(self.heard[rows], self.read)

    def select(self, sentences: torch.Tensor) -> _HeardState:
        return _HeardState(self.heard[sentences], self.read)
