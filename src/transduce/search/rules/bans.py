"""Which tokens a hypothesis may not take next: one class a rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from transduce.config import SearchConfig
from transduce.interfaces import END, Source
from transduce.search.rules.adjustments import written_before
from transduce.search.rules.constraints import Constraints, FollowedPhrases
from transduce.search.rules.repeats import ban_repeats, followed

__all__ = ["Ban", "ban_specials", "bans"]


class Ban(Protocol):
    """A rule that follows what each of the ``[M, W]`` open hypotheses has written."""

    def apply(self, log_probs: Tensor) -> None:
        """Set banned entries of ``log_probs`` ``[M, W, V]`` to -inf, in place."""
        ...

    def follow(self, rows: Tensor, tokens: Tensor) -> None:
        """Each hypothesis is now what row ``rows`` was, with one of ``tokens`` (int64 ``[M', W]``)
        behind; ``rows`` counts all hypotheses, 0 … M·W - 1.
        """
        ...


def bans(
    options: SearchConfig, constraints: Constraints, source: Source, lanes: int, width: int
) -> list[Ban]:
    """The rules that are asked for, over ``[M, W]`` hypotheses that have written the prefix;
    ``lanes`` are those of one sentence.
    """
    found: list[Ban] = []
    if constraints.forbidden:
        shape = len(source.lengths) * lanes, width
        prefix = constraints.prefix
        forbidden = FollowedPhrases(constraints.forbidden, shape, prefix, source.device)
        found.append(ForbiddenPhrases(forbidden))
    if options.no_repeat_ngram is not None:
        written = written_before(constraints.adjustments, source, constraints.prefix, lanes, width)
        found.append(NoRepeats(options.no_repeat_ngram, written))
    return found


def ban_specials(log_probs: Tensor, too_short: Tensor | None, ends: Sequence[int] = (END,)) -> None:
    """PADDING, BEGIN and UNKNOWN are never written (a reader can do nothing with ``<unk>``), nor
    one of ``ends`` in lanes that are ``too_short`` (bool ``[M]``; None: none is). In place,
    ``[M, W, V]``.
    """
    log_probs[..., :END] = -torch.inf  # the other specials come before END
    if too_short is not None:
        for end in ends:
            log_probs[..., end].masked_fill_(too_short[:, None], -torch.inf)


class ForbiddenPhrases:
    """No token that would complete one of the phrases."""

    def __init__(self, phrases: FollowedPhrases) -> None:
        self._phrases = phrases

    def apply(self, log_probs: Tensor) -> None:
        """See ``Ban``."""
        automaton = self._phrases.automaton
        lanes, beams, phrases = automaton.one_short(self._phrases.state).nonzero(as_tuple=True)
        log_probs[lanes, beams, automaton.last_tokens[phrases]] = -torch.inf

    def follow(self, rows: Tensor, tokens: Tensor) -> None:
        """See ``Ban``."""
        self._phrases.follow(rows, tokens)


class NoRepeats:
    """No token that would repeat a run of ``size`` tokens."""

    def __init__(self, size: int, written: Tensor) -> None:
        """``written`` int64 ``[M, W, t]``."""
        self._size = size
        self._written = written

    def apply(self, log_probs: Tensor) -> None:
        """Ban what followed each earlier place where the last ``size - 1`` tokens stood."""
        ban_repeats(log_probs, self._written, self._written, self._size)

    def follow(self, rows: Tensor, tokens: Tensor) -> None:
        """See ``Ban``."""
        self._written = followed(self._written, rows, tokens)
