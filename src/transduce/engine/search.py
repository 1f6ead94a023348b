"""A whole beam search in one call: native/search.h told what to do, and its outputs read back."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from transduce.engine.program import Extent, Program
from transduce.errors import EngineError, SearchError
from transduce.interfaces import BEGIN, END, BeamPlan, Ended

__all__ = ["SearchedDecoder", "search"]

_NO_NUMBERS, _NO_POSITIONS = 1, 2
_NOT_THERE = -1
_STOPPING = {"bound": 0, "generate": 1, "generate-early": 2, "generate-never": 3}
_ENDLESS = 1 << 40

# A thread with fewer rows than this waits for the weights, not for products; then all threads
# better read each weight once, unless the weights stay in the processor's caches anyway.
_FEW_ROWS = 32
_CACHED_BYTES = 8 << 20

_Long, _Pointer = ctypes.c_int64, ctypes.c_void_p


class _Plan(ctypes.Structure):
    """``Plan`` of native/lane.h."""

    _fields_ = (
        ("beam", _Long),
        ("nbest", _Long),
        ("least", _Pointer),
        ("most", _Pointer),
        ("penalties", _Pointer),
        ("prefix", _Pointer),
        ("prefix_length", _Long),
        ("free", _Long),
        ("not_first", _Pointer),
        ("not_first_count", _Long),
        ("stopping", _Long),
        ("forced_end", _Long),
        ("begin_token", _Long),
        ("end_token", _Long),
    )


class _Slots(ctypes.Structure):
    """``Slots`` of native/search.h."""

    _fields_ = (
        ("tokens", _Long),
        ("scores", _Long),
        ("chosen", _Long),
        ("logits", _Long),
        ("table", _Long),
        ("cache", _Long),
        ("tensor_count", _Long),
        ("cache_planes", _Long),
        ("cache_width", _Long),
        ("positions", _Long),
        ("vocabulary", _Long),
        ("row_count", _Long),
        ("rows", _Pointer),
    )


class _Found(ctypes.Structure):
    """``Found`` of native/search.h."""

    _fields_ = (
        ("length", _Long),
        ("tokens", _Pointer),
        ("token_scores", _Pointer),
        ("lengths", _Pointer),
        ("scores", _Pointer),
        ("finished", _Pointer),
    )


class SearchedDecoder(Protocol):
    """What a search needs of a decoder. ``heads`` are H, G, d of the layers that keep a cache."""

    program: Program  # of one step
    layers: int  # that keep keys and values of what was read; 0 for a recurrent decoder
    heads: tuple[int, int, int]
    stored: torch.dtype
    positions: int | None  # that it knows; None: as many as asked for

    def tables(self, count: int) -> dict[str, Tensor]:
        """What tells the first ``count`` positions apart; raises ModelError beyond the last."""
        ...


def search(
    decoder: SearchedDecoder,
    prepared: Mapping[str, Tensor],
    rows: Mapping[str, Tensor],
    plan: BeamPlan,
    *,
    source_length: int,
    vocabulary: int,
) -> list[list[Ended]]:
    """The outputs of each sentence, best first.

    ``prepared`` is what every step reads of B sentences, ``rows`` ``[B, …]`` what each row
    carries from step to step, before the first.

    Raises SearchError where the model's scores are not numbers, ModelError beyond its last
    position, EngineError where memory is short.
    """
    sentences, longest = len(plan.most), max(plan.most)
    needed = longest + 1
    known = needed if decoder.positions is None else decoder.positions
    tables = decoder.tables(min(needed, known))
    program = decoder.program
    extent = Extent(
        rows=sentences,
        sentences=sentences,
        source=source_length,
        distances=tables["bias"].shape[1] if "bias" in tables else 0,
    )
    carried = {name: tensor.contiguous() for name, tensor in rows.items()}
    slots, kept = _slots(decoder, carried, vocabulary)
    least, most = np.array(plan.least, np.int64), np.array(plan.most, np.int64)
    penalties, prefix = np.array(plan.penalties, np.float64), np.array(plan.prefix, np.int64)
    not_first = np.array(plan.not_first, np.int64)
    told = _Plan(
        plan.beam, plan.nbest, _at(least), _at(most), _at(penalties), _at(prefix), len(prefix),
        plan.free, _at(not_first), len(not_first), _STOPPING[plan.stopping], plan.forced_end,
        BEGIN, END,
    )  # fmt: skip
    outputs = _Outputs(sentences, plan.nbest, longest + 1)
    tensors = {**prepared, **tables, **carried}
    outcome = program.search(
        tensors, extent, told, slots, outputs.found, together=_together(program, sentences, plan)
    )
    del kept
    if outcome == _NO_NUMBERS:
        raise SearchError("scores of the model must be numbers; got NaN")
    if outcome == _NO_POSITIONS:
        decoder.tables(known + 1)  # says what is wrong
    if outcome:
        raise EngineError("a search failed: memory is too short for its rows")
    return outputs.read()


def _together(program: Program, sentences: int, plan: BeamPlan) -> bool:
    """Whether all threads work on each step, or each on sentences of its own."""
    threads = torch.get_num_threads()
    if threads == 1 or program.weight_bytes <= _CACHED_BYTES:
        return False
    return sentences < threads or sentences * plan.beam < _FEW_ROWS * threads


def _slots(
    decoder: SearchedDecoder, rows: Mapping[str, Tensor], vocabulary: int
) -> tuple[_Slots, object]:
    """Where the search finds its tensors; the second must live as long as the first."""
    numbers = decoder.program.tensors
    pairs = [
        number
        for name, tensor in rows.items()
        for number in (numbers[name], tensor[0].numel() * tensor.element_size())
    ]
    row_tensors = np.array(pairs, np.int64)
    _, groups, width = decoder.heads
    own = ("tokens", "scores", "chosen", "logits", "table", "cache")
    slots = _Slots(
        *(numbers.get(name, _NOT_THERE) for name in own),
        len(numbers),
        2 * decoder.layers,
        groups * width * decoder.stored.itemsize,
        _ENDLESS if decoder.positions is None else decoder.positions,
        vocabulary,
        len(rows),
        _at(row_tensors),
    )
    return slots, row_tensors


class _Outputs:
    """Room for the outputs of B sentences."""

    def __init__(self, sentences: int, nbest: int, length: int) -> None:
        shape = (sentences, nbest)
        self._tokens = np.empty((*shape, length), np.int64)
        self._token_scores = np.empty((*shape, length), np.float32)
        self._lengths = np.empty(shape, np.int64)
        self._scores = np.empty(shape, np.float64)
        self._finished = np.empty(shape, np.uint8)
        self.found = _Found(
            length,
            _at(self._tokens),
            _at(self._token_scores),
            _at(self._lengths),
            _at(self._scores),
            _at(self._finished),
        )

    def read(self) -> list[list[Ended]]:
        """Outputs that are there; the native side writes -1 as the length of others."""
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
    return array.ctypes.data
