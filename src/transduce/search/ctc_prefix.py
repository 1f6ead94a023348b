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

__all__ = ["PrefixScorer"]

_NEVER = -1e10  # the logarithm of what cannot be; differences of it stay numbers
_ROOM = 1 << 24  # numbers worked on at once


class PrefixScorer:
    """Scores of all rows of a search, moved as the model's state is moved.

    ``log_probs`` float32 ``[B, S, V]``: of each position's symbol, PADDING being the blank; at
    padding the blank is certain.
    """

    def __init__(self, log_probs: Tensor) -> None:
        B = len(log_probs)
        self._log_probs = log_probs.clamp(min=_NEVER)  # [B, S, V]
        blanks = self._log_probs[:, :, PADDING].cumsum(1)
        start = torch.zeros_like(blanks[:, :1])
        # Position 0 stands before the first: nothing is written there.
        self._symbol = torch.full_like(torch.cat([start, blanks], 1), _NEVER)  # n [N, S + 1]
        self._blank = torch.cat([start, blanks], 1)  # b [N, S + 1]
        self._prefix = start[:, 0]  # log P(g, …) [N]
        self._last = torch.full((B,), PADDING, device=log_probs.device)  # [N]
        self._rows = 1

    def scores(self) -> Tensor:
        """What each next token adds to the logarithm, ``[N, V]``: END what the text's end adds."""
        log_probs = self._expanded()
        N, S, V = log_probs.shape
        either = torch.logaddexp(self._symbol, self._blank)  # [N, S + 1]
        added = log_probs.new_empty(N, V)
        step = max(1, _ROOM // (N * S))
        for first in range(0, V, step):
            part = log_probs[:, :, first : first + step] + either[:, :-1, None]
            added[:, first : first + step] = part.logsumexp(1)
        # A symbol that comes twice running needs a blank between.
        places = torch.arange(N, device=added.device)
        again = (log_probs[places, :, self._last] + self._blank[:, :-1]).logsumexp(1)
        written = self._last != PADDING
        added[places, self._last] = torch.where(written, again, added[places, self._last])
        added[:, PADDING] = _NEVER
        added[:, END] = either[:, -1]
        return (added - self._prefix[:, None]).clamp(min=_NEVER)

    def advance(self, tokens: Tensor) -> None:
        """Go on with one token a row (int64 ``[N]``), none of them END."""
        log_probs = self._expanded()
        places = torch.arange(len(tokens), device=tokens.device)
        spoken, blank = log_probs[places, :, tokens], log_probs[:, :, PADDING]
        repeated = (tokens == self._last)[:, None]
        either = torch.logaddexp(self._symbol, self._blank)
        before = torch.where(repeated, self._blank, either)[:, :-1]
        entering = before + spoken  # Φ_t y_t
        symbol, pause = [torch.full_like(self._prefix, _NEVER)] * 2
        symbols, pauses = [symbol], [pause]
        for t in range(spoken.shape[1]):
            pause = torch.logaddexp(pause, symbol) + blank[:, t]
            symbol = torch.logaddexp(symbol + spoken[:, t], entering[:, t])
            symbols.append(symbol)
            pauses.append(pause)
        self._prefix = entering.logsumexp(1).clamp(min=_NEVER)
        self._symbol = torch.stack(symbols, 1).clamp(min=_NEVER)
        self._blank = torch.stack(pauses, 1).clamp(min=_NEVER)
        self._last = tokens

    def reorder(self, rows: Tensor) -> None:
        """Row n becomes what row ``rows[n]`` was (int64 ``[N]``)."""
        self._symbol, self._blank = self._symbol[rows], self._blank[rows]
        self._prefix, self._last = self._prefix[rows], self._last[rows]

    def select(self, sentences: Tensor) -> None:
        """Keep the sentences with these numbers (int64 ``[B']``), all their rows."""
        offsets = torch.arange(self._rows, device=sentences.device)
        self.reorder((sentences[:, None] * self._rows + offsets).flatten())
        self._log_probs = self._log_probs[sentences]

    def expand(self, times: int) -> None:
        """Each row ``times`` times in a line."""
        rows = torch.arange(len(self._last), device=self._last.device)
        self.reorder(rows.repeat_interleave(times))
        self._rows *= times

    def _expanded(self) -> Tensor:
        if self._rows == 1:
            return self._log_probs
        return self._log_probs.repeat_interleave(self._rows, dim=0)
