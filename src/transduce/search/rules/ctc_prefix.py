"""How probable a CTC output finds it that a text begins so: scores beside the decoder's.

Watanabe et al. 2017, "Hybrid CTC/Attention Architecture", algorithm 2. For a prefix g and
positions t, ``n_t(g)`` and ``b_t(g)`` are the probabilities that positions 1 … t wrote g, the
last of them a symbol or a blank. What may follow is

    P(g·c, …) = Σ_t Φ_t(c) y_t(c),  Φ_t(c) = b_{t−1}(g) + [c ≠ last symbol of g] n_{t−1}(g)
"""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.interfaces import END, PADDING
from transduce.kernels.ctc import CTCRows, NativePrefixes, has_native_ctc

__all__ = ["PrefixScorer"]

_NEVER = -1e10  # the logarithm of what cannot be; differences of it stay numbers
_ROOM = 1 << 24  # numbers worked on at once


class PrefixScorer:
    """Scores of all rows of a search, moved as the model's state is moved.

    ``log_probs`` float ``[B, S, V]``: of each position's symbol, PADDING being the blank; at
    padding the blank is certain.
    """

    def __init__(self, log_probs: Tensor) -> None:
        self._arithmetic: NativePrefixes | _Prefixes = _Prefixes(log_probs.clamp(min=_NEVER))
        if has_native_ctc(log_probs):
            self._arithmetic = NativePrefixes(log_probs, _lengths(log_probs))
        # One after the other, so that padding changes nothing.
        blanks = log_probs[:, :, PADDING].clamp(min=_NEVER).cumsum(1)
        start = torch.zeros_like(blanks[:, :1])
        # Position 0 stands before the first: nothing is written there.
        blank = torch.cat([start, blanks], 1)
        last = torch.full_like(blank[:, 0], PADDING, dtype=torch.int64)
        self._rows = CTCRows(torch.full_like(blank, _NEVER), blank, start[:, 0].clone(), last)
        self._times = 1

    def scores(self) -> Tensor:
        """What each next token adds to the logarithm, ``[N, V]``: END what the text's end adds."""
        return self._arithmetic.scores(self._rows, END)

    def advance(self, tokens: Tensor) -> None:
        """Go on with one token a row (int64 ``[N]``), none of them END."""
        self._rows = self._arithmetic.advance(self._rows, tokens)

    def reorder(self, rows: Tensor) -> None:
        """Row n becomes what row ``rows[n]`` was (int64 ``[N]``)."""
        self._rows = self._rows.select(rows)

    def select(self, sentences: Tensor) -> None:
        """Keep the sentences with these numbers (int64 ``[B']``), all their rows."""
        offsets = torch.arange(self._times, device=sentences.device)
        self.reorder((sentences[:, None] * self._times + offsets).flatten())  # [B', K] → [B'·K]
        self._arithmetic = self._arithmetic.select(sentences)

    def expand(self, times: int) -> None:
        """Each row ``times`` times in a line."""
        rows = torch.arange(len(self._rows.last), device=self._rows.last.device)
        self.reorder(rows.repeat_interleave(times))
        self._times *= times


def _lengths(log_probs: Tensor) -> Tensor:
    """Positions up to the last at which the blank is not certain, int64 ``[B]``, at least 1."""
    positions = torch.arange(1, log_probs.shape[1] + 1)
    return torch.where(log_probs[:, :, END] > _NEVER / 2, positions, 1).amax(1)


class _Prefixes:
    """The same arithmetic in PyTorch, for all other numbers and devices."""

    def __init__(self, log_probs: Tensor) -> None:
        self._log_probs = log_probs  # [B, S, V]

    def select(self, sentences: Tensor) -> _Prefixes:
        return _Prefixes(self._log_probs[sentences])

    def scores(self, rows: CTCRows, end: int) -> Tensor:
        log_probs = self._expanded(rows)
        N, S, V = log_probs.shape
        either = torch.logaddexp(rows.symbol, rows.blank)  # [N, S + 1]
        added = log_probs.new_empty(N, V)
        step = max(1, _ROOM // (N * S))
        for first in range(0, V, step):
            chunk = log_probs[:, :, first : first + step] + either[:, :-1, None]
            added[:, first : first + step] = chunk.logsumexp(1)
        # A symbol that comes twice running needs a blank between.
        places = torch.arange(N, device=added.device)
        again = (log_probs[places, :, rows.last] + rows.blank[:, :-1]).logsumexp(1)
        written = rows.last != PADDING
        added[places, rows.last] = torch.where(written, again, added[places, rows.last])
        added[:, PADDING] = _NEVER
        added[:, end] = either[:, -1]
        return (added - rows.prefix[:, None]).clamp(min=_NEVER)

    def advance(self, rows: CTCRows, tokens: Tensor) -> CTCRows:
        log_probs = self._expanded(rows)
        places = torch.arange(len(tokens), device=tokens.device)
        spoken, blank = log_probs[places, :, tokens], log_probs[:, :, PADDING]
        repeated = (tokens == rows.last)[:, None]
        either = torch.logaddexp(rows.symbol, rows.blank)
        before = torch.where(repeated, rows.blank, either)[:, :-1]
        entering = before + spoken  # Φ_t y_t
        symbol, pause = [torch.full_like(rows.prefix, _NEVER)] * 2
        symbols, pauses = [symbol], [pause]
        for t in range(spoken.shape[1]):
            pause = torch.logaddexp(pause, symbol) + blank[:, t]
            symbol = torch.logaddexp(symbol + spoken[:, t], entering[:, t])
            symbols.append(symbol)
            pauses.append(pause)
        return CTCRows(
            torch.stack(symbols, 1).clamp(min=_NEVER),
            torch.stack(pauses, 1).clamp(min=_NEVER),
            entering.logsumexp(1).clamp(min=_NEVER),
            tokens,
        )

    def _expanded(self, rows: CTCRows) -> Tensor:
        """``[N, S, V]``, each sentence as often as it has rows."""
        times = len(rows.last) // len(self._log_probs)
        return self._log_probs if times == 1 else self._log_probs.repeat_interleave(times, dim=0)
