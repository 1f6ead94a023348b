"""What a sentence gets does not depend on its neighbours, on padding, order, packing or window."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_fakes import TableStepper, make_source

from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.search import Constraints, Hypothesis, decode, decode_all

KINDS: list[dict[str, Any]] = [
    {},
    {"beam": 4, "nbest": 3},
    {"beam": 3, "nbest": 1, "length_normalization": "none"},
    {"beam": 4, "nbest": 4, "diverse_groups": 2, "coverage_penalty": 0.2},
    {"sample": True, "nbest": 3, "top_p": 0.9},
    {"sample": True, "temperature": 1.5, "no_repeat_ngram": 2},
    {"beam": 3, "max_length_ratio": 1.5, "min_length_ratio": 0.5},
]
CONSTRAINTS = [Constraints(), Constraints(prefix=(5,), forbidden=((4, 4),))]


def equal(first: list[Hypothesis], second: list[Hypothesis]) -> bool:
    return [(h.tokens, h.finished, h.constraints_met) for h in first] == [
        (h.tokens, h.finished, h.constraints_met) for h in second
    ] and [h.score for h in first] == pytest.approx([h.score for h in second], abs=1e-9)


@given(
    sources=st.lists(st.lists(st.integers(4, 7), max_size=5), min_size=1, max_size=5),
    kind=st.sampled_from(KINDS),
    constraints=st.sampled_from(CONSTRAINTS),
    padding=st.integers(0, 3),
    seed=st.integers(0, 3),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=30)
def test_alone_as_in_any_batch(
    sources: list[list[int]],
    kind: dict[str, Any],
    constraints: Constraints,
    padding: int,
    seed: int,
    order: Any,
) -> None:
    options = SearchConfig(**{"max_length": 4, **kind})
    model = TableStepper(size=9, seed=seed)
    together = decode(model, make_source(sources), options, constraints)
    places = list(range(len(sources)))
    order.shuffle(places)
    shuffled_source = make_source([sources[place] for place in places], padding)
    shuffled = decode(model, shuffled_source, options, constraints, places)
    for place, found in zip(places, shuffled, strict=True):
        assert equal(found, together[place])
    for place, source in enumerate(sources):
        (alone,) = decode(model, make_source([source]), options, constraints, [place])
        assert equal(alone, together[place])


@given(
    lengths=st.lists(st.integers(0, 9), max_size=9),
    kind=st.sampled_from(KINDS),
    batch_tokens=st.integers(1, 60),
    window=st.integers(1, 15),
)
@settings(max_examples=20)
def test_packing_and_windows_change_nothing(
    lengths: list[int], kind: dict[str, Any], batch_tokens: int, window: int
) -> None:
    sources = [[4 + (place + i) % 4 for i in range(n)] for place, n in enumerate(lengths)]
    model = TableStepper(size=9, seed=1)
    values = {"max_length": 4, **kind}
    packed = SearchConfig(**values, batch_tokens=batch_tokens)
    found = list(decode_all(model, sources, packed, window=window))
    assert len(found) == len(sources)
    if sources:
        together = decode(model, make_source(sources), SearchConfig(**values))
        assert all(equal(one, other) for one, other in zip(found, together, strict=True))


def test_batches_hold_at_most_their_tokens_and_are_sorted_by_length() -> None:
    model = TableStepper(size=9, seed=1, end=9.0)
    sources = [[4] * n for n in (1, 9, 2, 8, 3, 7, 1, 9)]
    options = SearchConfig(beam=2, batch_tokens=40)
    starts: list[tuple[int, int]] = []
    begin = model.start

    def start(source: Any, *, attention: bool = False) -> Any:
        starts.append(tuple(source.tokens.shape))
        return begin(source, attention=attention)

    model.start = start  # type: ignore[method-assign]
    list(decode_all(model, sources, options))
    assert all(sentences * length * 2 <= 40 for sentences, length in starts)
    assert starts == [(2, 10), (2, 9), (4, 4)]


def test_a_long_sentence_is_decoded_alone_rather_than_refused() -> None:
    model = TableStepper(size=9, seed=1)
    found = list(decode_all(model, [[4] * 30, [5]], SearchConfig(batch_tokens=4, max_length=3)))
    assert len(found) == 2


def test_outputs_stream_and_no_more_than_a_window_is_read() -> None:
    read: list[int] = []

    def sources() -> Iterator[list[int]]:
        for number in range(10**9):  # never read to its end
            read.append(number)
            yield [4, 5]

    model = TableStepper(size=9, seed=1)
    found = decode_all(model, sources(), SearchConfig(max_length=3), window=3)
    next(found)
    assert read == [0, 1, 2]
    for _ in range(3):
        next(found)
    assert read == [0, 1, 2, 3, 4, 5]
    interactive = decode_all(model, sources(), SearchConfig(max_length=3), window=1)
    read.clear()
    next(interactive)
    assert read == [0]


def test_numbers_continue_the_draws_of_a_stream() -> None:
    model = TableStepper(size=20, seed=1)
    options = SearchConfig(sample=True, max_length=8)
    whole = list(decode_all(model, [[4, 5]] * 6, options))
    rest = list(decode_all(model, [[4, 5]] * 3, options, numbers=itertools.count(3)))
    assert rest == whole[3:]
    assert rest != whole[:3]


def test_finished_sentences_leave_the_batch() -> None:
    model = TableStepper(size=9, seed=1, end=-50.0)
    options = SearchConfig(beam=2, max_length=20, max_length_ratio=1.0)
    decode(model, make_source([[4] * 2, [4] * 9, [4] * 5]), options)
    rows = [count for count, _ in model.steps]
    # BEGIN once a sentence; two rows each until 2, 5 and 9 tokens are there.
    assert rows == [3, *[6] * 2, *[4] * 3, *[2] * 4]


def test_a_prefix_is_read_in_one_step() -> None:
    model = TableStepper(size=9, seed=1)
    decode(
        model, make_source([[4]]), SearchConfig(beam=4, max_length=4), Constraints(prefix=(5, 6))
    )
    assert model.steps[0] == (1, 3)
    assert all(steps == 1 for _, steps in model.steps[1:])


def test_nothing_in_nothing_out() -> None:
    model = TableStepper()
    empty = make_source([[4]]).select(torch.tensor([], dtype=torch.int64))
    assert decode(model, empty, SearchConfig()) == []
    assert list(decode_all(model, [], SearchConfig())) == []


def test_errors_come_before_anything_is_read() -> None:
    with pytest.raises(SearchError, match="window must be at least 1; got 0"):
        decode_all(TableStepper(), [], SearchConfig(), window=0)
    with pytest.raises(SearchError, match="min_length"):
        decode_all(TableStepper(), [], SearchConfig(min_length=9, max_length=3))


def test_gradients_are_off_inside_and_as_before_outside() -> None:
    stream = decode_all(TableStepper(), [[4], [5]], SearchConfig(max_length=2), window=1)
    next(stream)
    assert torch.is_grad_enabled()
