"""Native prefix scores of a CTC output, the same bit for bit beside whatever neighbours."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.errors import EngineError
from transduce.kernels.border import NAMELESS, Checked, raise_refusal
from transduce.kernels.library import has_library, load_library

__all__ = ["CTCRows", "NativePrefixes", "has_native_ctc"]


class _CTCSize(Checked):
    """``CtcSize`` of native/ctc.h."""

    _fields_ = tuple(
        (name, ctypes.c_int64) for name in ("sentences", "rows", "positions", "symbols")
    )


class _Rows(ctypes.Structure):
    """``CtcRows`` of native/ctc.h."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in ("symbol", "blank", "prefix", "last"))


@dataclass(frozen=True, slots=True)
class CTCRows:
    """What is known of N rows: n and b ``[N, S + 1]``, the prefix's logarithm ``[N]``, its last
    symbol int64 ``[N]``; see :class:`transduce.search.rules.ctc_prefix.PrefixScorer`.
    """

    symbol: Tensor
    blank: Tensor
    prefix: Tensor
    last: Tensor

    def select(self, rows: Tensor) -> CTCRows:
        """Row n becomes what row ``rows[n]`` was (int64)."""
        return CTCRows(self.symbol[rows], self.blank[rows], self.prefix[rows], self.last[rows])


def has_native_ctc(log_probs: Tensor) -> bool:
    """Whether the kernels are here and made for these numbers."""
    return log_probs.is_cpu and log_probs.dtype == torch.float32 and has_library()


class NativePrefixes:
    """The arithmetic of B sentences: ``log_probs`` ``[B, S, V]`` and int64 ``lengths`` ``[B]``."""

    def __init__(self, log_probs: Tensor, lengths: Tensor) -> None:
        self._log_probs, self._lengths = log_probs.contiguous(), lengths.contiguous()
        if lengths.shape != log_probs.shape[:1] or lengths.dtype != torch.int64:
            raise EngineError("lengths must be one for each sentence")
        self._powers = torch.empty_like(self._log_probs)
        self._functions = load_library().functions
        if self._functions.powers(
            self._log_probs.data_ptr(), self._powers.numel(), self._powers.data_ptr()
        ):
            raise_refusal(self._functions)

    def select(self, sentences: Tensor) -> NativePrefixes:
        """Keep the sentences with these numbers (int64)."""
        return NativePrefixes(self._log_probs[sentences], self._lengths[sentences])

    def scores(self, rows: CTCRows, end: int) -> Tensor:
        """What each next token adds to the logarithm, ``[N, V]``; ``end`` what the end adds."""
        added = torch.empty(len(rows.last), self._log_probs.shape[2])
        if self._functions.ctc_scores(
            torch.get_num_threads(), ctypes.byref(self._size(rows)), self._powers.data_ptr(),
            self._lengths.data_ptr(), ctypes.byref(self._at(rows)), end, added.data_ptr(),
        ):  # fmt: skip
            self._refuse()
        return added

    def advance(self, rows: CTCRows, tokens: Tensor) -> CTCRows:
        """Go on with one token a row (int64 ``[N]``)."""
        if tokens.shape != rows.last.shape or tokens.dtype != torch.int64:
            raise EngineError("tokens must be one for each row")
        after = CTCRows(*map(torch.empty_like, (rows.symbol, rows.blank, rows.prefix, rows.last)))
        tokens = tokens.contiguous()
        if self._functions.ctc_advance(
            torch.get_num_threads(), ctypes.byref(self._size(rows)), self._log_probs.data_ptr(),
            self._lengths.data_ptr(), tokens.data_ptr(), ctypes.byref(self._at(rows)),
            ctypes.byref(self._at(after)),
        ):  # fmt: skip
            self._refuse()
        return after

    def _size(self, rows: CTCRows) -> _CTCSize:
        B, S, V = self._log_probs.shape
        return _CTCSize.of(B, len(rows.last), S, V)

    def _at(self, rows: CTCRows) -> _Rows:
        N, places = len(rows.last), self._log_probs.shape[1] + 1
        shapes = [(N, places), (N, places), (N,), (N,)]
        tensors = (rows.symbol, rows.blank, rows.prefix, rows.last)
        for tensor, shape in zip(tensors, shapes, strict=True):
            if tensor.shape != shape or not tensor.is_contiguous():
                raise EngineError("rows must be those of these sentences, contiguous")
        return _Rows(*(tensor.data_ptr() for tensor in tensors))

    def _refuse(self) -> None:
        raise_refusal(self._functions, {"lengths or tokens": NAMELESS})
