"""The model's side of a search: what it reads, what it remembers, what it looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.interfaces import BEGIN, Candidates, Proposer, Source, Stepper
from transduce.search.choosing.decision import FloatArray, IntArray
from transduce.search.choosing.plain_beam import wanted
from transduce.search.demands import (
    as_listener,
    as_proposer,
    asks_attention,
    asks_logits,
    asks_rows,
)
from transduce.search.rules.constraints import Constraints, check_vocabulary
from transduce.search.rules.coverage import Coverage
from transduce.search.rules.ctc_prefix import PrefixScorer

__all__ = ["Outlook", "Reader"]

# What may come next in each row: a few candidates, or log-probabilities [N, V] of all tokens, which
# are logits yet where these are changed first (``asks_logits``).
Outlook = Candidates | Tensor

# The least that a forced token scores: at -inf the whole sentence would count as dead.
_IMPOSSIBLE = -1e4


class Reader:
    """Steps one batch through a model. Letters as in ``live.py``; G·W rows a sentence.

    ``coverage`` is None where the options do not ask for it.
    """

    def __init__(
        self,
        stepper: Stepper[Any],
        source: Source,
        options: SearchConfig,
        constraints: Constraints,
        width: int,
        state: Any = None,
        more: int = 0,
    ) -> None:
        """``state`` as for ``decode``; a ``Proposer`` gives ``more`` candidates than are needed."""
        self._more = more
        self._stepper = stepper
        self._source = source
        self._device = source.device
        self._prefix = constraints.prefix
        self._free = constraints.free
        self._banned_first = list(constraints.banned_first)
        self._constraints = constraints
        self._width = width
        self._weight = options.coverage_penalty
        self._ctc_weight = options.ctc_weight
        self._gives_logits = asks_logits(options, constraints)
        self._proposer = None if asks_rows(options, constraints) else as_proposer(stepper)
        if state is None:
            state = stepper.start(source, attention=asks_attention(options))
        self._state = state
        self._copies = 1  # how many rows each row of the state still stands for
        self.coverage: Coverage | None = None
        self._ctc = self._listen() if self._ctc_weight else None

    def begin(self, rows: int, *, end_is_banned: bool) -> tuple[Outlook, FloatArray]:
        """Read BEGIN and the prefix once a sentence.

        Gives the outlook of all its ``rows``, which are still the same, and the
        log-probabilities ``[B, P]`` of the prefix. Raises SearchError where a constraint
        holds tokens that the model does not know.
        """
        self._copies, count = rows, len(self._source.lengths)
        read = torch.tensor([BEGIN, *self._prefix], device=self._device).repeat(count, 1)
        outlook: Outlook
        if self._proposer is not None and not self._prefix and not self._banned_first:
            candidates = self._proposed(self._proposer, read, end_is_banned)
            outlook, scores = candidates, candidates.log_probs[:, :0]
        else:
            log_probs = self._joined(self._stepped(read), self._prefix)
            check_vocabulary(log_probs.shape[2], self._constraints)
            outlook = log_probs[:, -1]
            outlook[:, self._banned_first] = -torch.inf
            before = log_probs[:, :-1]
            before = before.log_softmax(dim=-1) if self._gives_logits else before
            scores = before.gather(2, read[:, 1:, None])[..., 0].clamp(min=_IMPOSSIBLE)
            scores[:, : self._free] = 0
        attention = self._attention()
        if attention is not None:
            attention = attention.repeat_interleave(rows, dim=0)
            mask = self._state.mask.repeat_interleave(rows, dim=0)
            self.coverage = Coverage(self._weight, torch.zeros_like(attention[:, 0]), mask)
            for looked in attention[:, :-1].unbind(1):
                self.coverage.add(looked)
            self.coverage.look(attention[:, -1])
        return _repeated(outlook, rows), scores.cpu().numpy()

    def move(self, rows: IntArray, stay: IntArray | None) -> None:
        """Row n goes on from what row ``rows[n]`` was (``[M, W]``, counted before any left);
        ``stay`` int64: the sentences that do, None where all do.
        """
        flat = rows.ravel()
        # Hypotheses that keep their places, as they often do, need nothing moved.
        if self._copies == 1 and self._width > 1 and (flat != np.arange(len(flat))).any():
            order = torch.from_numpy(flat).to(self._device)
            self._state = self._state.reorder(order)
            if self._ctc is not None:
                self._ctc.reorder(order)
        if stay is not None:
            left = torch.from_numpy(stay).to(self._device)
            self._state = self._state.select(left)
            if self._ctc is not None:
                self._ctc.select(left)
        if self._copies > 1:
            self._state = self._state.expand(self._copies)
            if self._ctc is not None:
                self._ctc.expand(self._copies)
            self._copies = 1

    def read(self, tokens: IntArray, *, end_is_banned: bool) -> Outlook:
        """Read one token a row, ``[M, W]``. ``end_is_banned``: for some row, after it."""
        after = torch.from_numpy(tokens.reshape(-1, 1)).to(self._device)  # [N, 1]
        outlook: Outlook
        if self._proposer is None:
            if self._ctc is not None:
                self._ctc.advance(after[:, 0])
            outlook = self._joined(self._stepped(after))[:, -1]
        else:
            outlook = self._proposed(self._proposer, after, end_is_banned)
        if self.coverage is not None:
            attention = self._attention()
            if attention is not None:
                self.coverage.look(attention[:, -1])
        return outlook

    def _proposed(self, proposer: Proposer[Any], read: Tensor, end_is_banned: bool) -> Candidates:
        count = wanted(self._width) + end_is_banned + self._more
        candidates, self._state = proposer.propose(read, self._state, count)
        return candidates

    def _stepped(self, read: Tensor) -> Tensor:
        """Log-probabilities in single precision at least; new, so search may write into them."""
        logits, self._state = self._stepper.step(read, self._state)
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        return logits.clone() if self._gives_logits else torch.log_softmax(logits, dim=-1)

    def _listen(self) -> PrefixScorer:
        listener = as_listener(self._stepper)
        log_probs = None if listener is None else listener.ctc_log_probs(self._state)
        if log_probs is None:
            raise SearchError(
                f"ctc_weight must be 0 for a model without model.ctc; got {self._ctc_weight}"
            )
        return PrefixScorer(log_probs)

    def _joined(self, log_probs: Tensor, tokens: tuple[int, ...] = ()) -> Tensor:
        """The decoder's ``[N, T, V]`` and CTC's together; before the last come ``tokens``."""
        if self._ctc is None:
            return log_probs
        own = [self._ctc.scores()]
        for token in tokens:
            self._ctc.advance(torch.full_like(own[0][:, 0], token, dtype=torch.int64))
            own.append(self._ctc.scores())
        return (1 - self._ctc_weight) * log_probs + self._ctc_weight * torch.stack(own, dim=1)

    def _attention(self) -> Tensor | None:
        """The last step's weights ``[N, T, S]`` where the coverage penalty needs them."""
        if self._weight == 0:
            return None
        attention: Tensor | None = self._state.attention
        if attention is None:
            raise SearchError(
                f"coverage_penalty must be 0 for a model without attention; got {self._weight}"
            )
        return attention


def _repeated(outlook: Outlook, times: int) -> Outlook:
    """Each row ``times`` times in a line."""
    if times == 1:
        return outlook
    if isinstance(outlook, Tensor):
        return outlook.repeat_interleave(times, dim=0)
    return Candidates(
        outlook.log_probs.repeat_interleave(times, dim=0),
        outlook.tokens.repeat_interleave(times, dim=0),
    )
