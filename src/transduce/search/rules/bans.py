"""Which tokens a hypothesis may not take next."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.interfaces import END
from transduce.search.choosing.open_hypotheses import Live
from transduce.search.rules.constraints import PhraseAutomaton

__all__ = ["Bans"]


class Bans:
    """Never written: PADDING, BEGIN and UNKNOWN (a reader can do nothing with ``<unk>``).

    Besides, not END before the minimum length, no token that completes a forbidden phrase,
    and none that repeats a run of ``no_repeat_ngram`` tokens.
    """

    def __init__(self, forbidden: PhraseAutomaton | None, no_repeat_ngram: int | None) -> None:
        self._forbidden = forbidden
        self._no_repeat_ngram = no_repeat_ngram

    def apply(self, log_probs: Tensor, live: Live, too_short: Tensor | None) -> None:
        """Set banned entries of ``log_probs`` ``[M, W, V]`` to -inf, in place.

        ``too_short`` bool ``[M]``: lanes that may not end yet; None where all may.
        """
        log_probs[..., :END] = -torch.inf  # the other specials come before END
        if too_short is not None:
            log_probs[..., END].masked_fill_(too_short[:, None], -torch.inf)
        if self._forbidden is not None and live.forbidden is not None:
            lanes, beams, phrases = self._forbidden.one_short(live.forbidden).nonzero(as_tuple=True)
            last = self._forbidden.last_tokens[phrases]
            log_probs[lanes, beams, last] = -torch.inf
        if self._no_repeat_ngram is not None and live.tokens is not None:
            _ban_repeats(log_probs, live.tokens, self._no_repeat_ngram)


def _ban_repeats(log_probs: Tensor, tokens: Tensor, size: int) -> None:
    """Ban what followed each earlier place where the last ``size - 1`` tokens stood."""
    if tokens.shape[2] < size:
        return
    runs = tokens.unfold(2, size, 1)  # [M, W, t - size + 1, size]
    last = tokens[:, :, tokens.shape[2] - size + 1 :]
    same = (runs[..., :-1] == last[:, :, None]).all(dim=3)
    lanes, beams, places = same.nonzero(as_tuple=True)
    log_probs[lanes, beams, runs[lanes, beams, places, -1]] = -torch.inf
