"""A whole beam search in one call: native/search.h told what to do, and its outputs read back."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from transduce.errors import EngineError, ModelError, SearchError
from transduce.interfaces import BEGIN, END, BeamPlan, Ended
from transduce.kernels.border import Checked, Held
from transduce.kernels.running.runner import Extent, Runner
from transduce.kernels.running.threads import thread_count

__all__ = ["SearchedDecoder", "search", "search_groups", "searched_apart"]

_NOT_THERE = -1
_STOPPING = {"bound": 0, "generate": 1, "generate-early": 2, "generate-never": 3}
_ENDLESS = 1 << 40

# A thread with fewer rows than this waits for the weights, not for products; then all threads
# better read each weight once, unless the weights stay in the processor's caches anyway.
_FEW_ROWS = 32
_CACHED_BYTES = 8 << 20

# Sentences that one thread decodes together, and each of several; more where weights come from
# memory at each step. Fewer of like length have less padding, and what they need stays in caches.
_SENTENCES_ALONE, _SENTENCES_EACH, _SENTENCES_OF_LARGE = 32, 64, 128

_Long, _Pointer = ctypes.c_int64, ctypes.c_void_p


class _Plan(Checked):
    """``Plan`` of native/lane.h."""

    _fields_ = (
        ("beam", _Long),
        ("nbest", _Long),
        ("sentences", _Long),
        ("least", _Pointer),
        ("most", _Pointer),
        ("penalties", _Pointer),
        ("penalty_count", _Long),
        ("prefix", _Pointer),
        ("prefix_length", _Long),
        ("free", _Long),
        ("banned_first", _Pointer),
        ("banned_first_count", _Long),
        ("stopping", _Long),
        ("forced_end", _Long),
        ("begin_token", _Long),
        ("end_token", _Long),
    )


class _Slots(Checked):
    """``Slots`` of native/search.h."""

    _fields_ = (
        ("tokens", _Long),
        ("scores", _Long),
        ("chosen", _Long),
        ("logits", _Long),
        ("table", _Long),
        ("cache", _Long),
        ("positions", _Long),
        ("row_count", _Long),
        ("rows", _Pointer),
    )


class _Found(Checked):
    """``Found`` of native/search.h."""

    _fields_ = (
        ("sentences", _Long),
        ("nbest", _Long),
        ("length", _Long),
        ("room", _Long),
        ("tokens", _Pointer),
        ("token_scores", _Pointer),
        ("lengths", _Pointer),
        ("scores", _Pointer),
        ("finished", _Pointer),
    )


class SearchedDecoder(Protocol):
    """What a search needs of a decoder."""

    runner: Runner  # of one step
    # G·d of each layer that keeps keys and values of what was read; () for a recurrent decoder
    cached: tuple[int, ...]
    positions: int | None  # that it knows; None: as many as asked for

    def tables(self, count: int) -> Mapping[str, Held]:
        """What tells the first ``count`` positions apart; raises ModelError beyond the last."""
        ...


def search(
    decoder: SearchedDecoder,
    prepared: Mapping[str, Held],
    rows: Mapping[str, Held],
    plan: BeamPlan,
    *,
    source_length: int,
    shortlist: Held | None = None,
    unlisted: Held | None = None,
) -> list[list[Ended]]:
    """The outputs of each sentence, best first.

    ``prepared`` is what every step reads of B sentences, ``rows`` ``[B, …]`` what each row
    carries from step to step, before the first. Outputs hold only tokens of ``shortlist`` int64
    ``[B, C]``, where there is one; ``unlisted`` ``[B, D + 1]`` stand for all others.

    Raises SearchError where the model's scores are not numbers or the plan's do not fit, ModelError
    beyond its last position, EngineError where memory is short.
    """
    sentences, longest = len(plan.most), max(*plan.most, len(plan.prefix))
    counts = {"least": len(plan.least), "lengths": len(prepared["lengths"])}
    if shortlist is not None:
        counts["shortlist"] = len(shortlist)
    for name, count in counts.items():
        if count != sentences:
            raise SearchError(f"{name} must have {sentences} numbers; got {count}")
    needed = longest + 1
    known = needed if decoder.positions is None else decoder.positions
    outputs = _Outputs(sentences, plan.nbest, longest + 1)
    tables = decoder.tables(min(needed, known))
    extent = Extent(
        rows=sentences,
        sentences=sentences,
        source=source_length,
        distances=tables["bias"].shape[1] if "bias" in tables else 0,
        listed=0 if shortlist is None else shortlist.shape[1],
    )
    of_lists = {"shortlist": shortlist, "unlisted": unlisted}
    listed = {name: tensor for name, tensor in of_lists.items() if tensor is not None}
    slots, kept = _slots(decoder, rows)
    least, most = _integers(plan.least), _integers(plan.most)
    prefix, banned_first = _integers(plan.prefix), _integers(sorted({*plan.banned_first}))
    penalties = np.array(plan.penalties, np.float64)
    told = _Plan.of(
        plan.beam, plan.nbest, sentences, _at(least), _at(most), _at(penalties), len(penalties),
        _at(prefix), len(prefix), plan.free, _at(banned_first), len(banned_first),
        _STOPPING[plan.stopping], plan.forced_end, BEGIN, END,
    )  # fmt: skip
    tensors = {**prepared, **listed, **tables, **rows}
    together = _together(decoder.runner, sentences, plan)
    try:
        decoder.runner.search(tensors, extent, told, slots, outputs.found, together=together)
    except ModelError:
        decoder.tables(known + 1)  # says what is wrong
        raise
    del kept
    return outputs.read()


def _together(runner: Runner, sentences: int, plan: BeamPlan) -> bool:
    """Whether all threads work on each step, or each on sentences of its own."""
    threads = thread_count()
    if threads == 1 or runner.weight_bytes <= _CACHED_BYTES:
        return False
    return sentences < threads or sentences * plan.beam < _FEW_ROWS * threads


def search_groups(runner: Runner, lengths: Sequence[int]) -> list[list[int]]:
    """Places of the sentences that are best decoded together, those of like ``lengths``."""
    threads = thread_count()
    each = _SENTENCES_ALONE if threads == 1 else _SENTENCES_EACH
    if runner.weight_bytes > _CACHED_BYTES:
        each = _SENTENCES_OF_LARGE
    together = each * threads
    if len(lengths) <= together:
        return [[*range(len(lengths))]]
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    count = -(-len(order) // together)
    return [order[len(order) * n // count : len(order) * (n + 1) // count] for n in range(count)]


def searched_apart(
    groups: Sequence[Sequence[int]], searched: Callable[[Sequence[int]], list[list[Ended]]]
) -> list[list[Ended]]:
    """The outputs of sentences, from what ``searched`` gives for the places of each group."""
    found: list[list[Ended]] = [[] for _ in range(sum(map(len, groups)))]
    for places in groups:
        for place, ended in zip(places, searched(places), strict=True):
            found[place] = ended
    return found


def _slots(decoder: SearchedDecoder, rows: Mapping[str, Held]) -> tuple[_Slots, object]:
    """Where the search finds its tensors; the second must live as long as the first."""
    numbers = decoder.runner.tensors
    pairs = [
        number
        for name, tensor in rows.items()
        for number in (numbers[name], tensor[0].numel() * tensor.element_size())
    ]
    row_tensors = _integers(pairs)
    own = ("tokens", "scores", "chosen", "logits", "table", "cache")
    slots = _Slots.of(
        *(numbers.get(name, _NOT_THERE) for name in own),
        _ENDLESS if decoder.positions is None else decoder.positions,
        len(rows),
        _at(row_tensors),
    )
    return slots, row_tensors


def _integers(values: Sequence[int]) -> npt.NDArray[np.int64]:
    """Raises SearchError where one does not fit."""
    try:
        return np.array(values, np.int64)
    except OverflowError:
        raise SearchError(
            f"numbers of a search must have 64 bits; got {max(values, key=abs)}"
        ) from None


class _Outputs:
    """Room for the outputs of B sentences."""

    def __init__(self, sentences: int, nbest: int, length: int) -> None:
        shape = (sentences, nbest)
        try:
            self._tokens = np.empty((*shape, length), np.int64)
            self._token_scores = np.empty((*shape, length), np.float32)
            # Not what memory held: a sentence that nobody searched is no empty output.
            self._lengths = np.full(shape, _NOT_THERE, np.int64)
            self._scores = np.empty(shape, np.float64)
            self._finished = np.empty(shape, np.uint8)
        except (MemoryError, ValueError, OverflowError):
            raise SearchError(
                "memory must have room for the outputs of a search; "
                f"got {nbest} of {length} tokens for {sentences} sentences"
            ) from None
        self.found = _Found.of(
            sentences,
            nbest,
            length,
            self._tokens.size,
            _at(self._tokens),
            _at(self._token_scores),
            _at(self._lengths),
            _at(self._scores),
            _at(self._finished),
        )

    def read(self) -> list[list[Ended]]:
        """Outputs that are there; the native side writes -1 as the length of others.

        Raises EngineError where a sentence has none, which no search leaves so.
        """
        if (self._lengths[:, 0] < 0).any():
            raise EngineError("a search must give each sentence an output; got none for one")
        return [
            [
                self._one(sentence, rank, length)
                for rank, length in enumerate(lengths)
                if length >= 0
            ]
            for sentence, lengths in enumerate(self._lengths.tolist())
        ]

    def _one(self, sentence: int, rank: int, length: int) -> Ended:
        finished = bool(self._finished[sentence, rank])
        return Ended(
            tuple(self._tokens[sentence, rank, :length].tolist()),
            tuple(self._token_scores[sentence, rank, : length + finished].tolist()),
            float(self._scores[sentence, rank]),
            finished,
        )


def _at(array: npt.NDArray[Any]) -> int:
    where: int = array.__array_interface__["data"][0]  # a tenth of the time of ``ctypes.data``
    return where
