"""Fewer tokens to choose from: those that a source calls for, and those that are always at hand.

L'Hostis et al. 2016, "Vocabulary Selection Strategies for Neural Machine Translation".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transduce.config import SearchConfig
from transduce.config.search import SEARCH_OPTIONS
from transduce.errors import SearchError
from transduce.interfaces import END, PADDING, Source

__all__ = ["Shortlist", "needs_all_tokens", "refuse_shortlist"]

Integers = NDArray[np.integer[Any]]
Numbers = NDArray[np.float32]

_WHOLE = [name for name, option in SEARCH_OPTIONS.items() if option.whole]


@dataclass(frozen=True, eq=False)
class Shortlist:
    """For each source token the target tokens that it calls for.

    Those of source token s are ``tokens[offsets[s] : offsets[s + 1]]``; ``always`` ``[F]`` are at
    hand for every source. ``size`` is that of the target's vocabulary.

    ``unlisted`` float32 ``[D + 1]`` estimate, from what the output layer reads, the logarithm of
    the sum over all tokens that are in no list (see ``Source.unlisted``), where it was learnt.
    """

    offsets: Integers
    tokens: Integers
    always: Integers
    size: int
    unlisted: Numbers | None = None

    def beside(self, source: Source, more: Iterable[int] = ()) -> Source:
        """The source with its lists. Raises SearchError as :meth:`of` does."""
        lists, unlisted = self.of(source, more), None
        if self.unlisted is not None:
            row = torch.from_numpy(self.unlisted).to(source.device)
            unlisted = row.repeat(len(lists), 1)  # [D + 1] → [B, D + 1]
        return replace(source, shortlist=lists, unlisted=unlisted)

    def of(self, source: Source, more: Iterable[int] = ()) -> Tensor:
        """The tokens that may be written for each source, int64 ``[B, C]``, as a ``Source`` has
        them; ``more`` may be written for all.

        Raises SearchError where a source is not tokens that the shortlist knows.
        """
        begun = np.zeros(self.size, dtype=bool)
        begun[: END + 1] = True
        begun[self.always] = True
        begun[[token for token in more if 0 <= token < self.size]] = True
        values = source.tokens.cpu().numpy()
        if values.size and values.max() >= len(self.offsets) - 1:
            raise SearchError(
                f"sources of a shortlist must hold tokens below {len(self.offsets) - 1}; "
                f"got {values.max()}"
            )
        found = [
            self._one(values[row, :length], begun)
            for row, length in enumerate(source.lengths.tolist())
        ]
        lists = np.full((len(found), max(map(len, found), default=1)), PADDING, dtype=np.int64)
        for row, own in zip(lists, found, strict=True):
            row[: len(own)] = own
        return torch.from_numpy(lists).to(source.device)

    def _one(self, read: Integers, begun: NDArray[np.bool_]) -> NDArray[np.int64]:
        listed = begun.copy()
        for token in set(read.tolist()):
            listed[self.tokens[self.offsets[token] : self.offsets[token + 1]]] = True
        return np.flatnonzero(listed)


def refuse_shortlist(source: Source, where: str) -> None:
    """Raise SearchError for a source with one, of which a stepper knows nothing."""
    if source.shortlist is not None:
        raise SearchError(f"search.shortlist must be false {where}; got true")


def needs_all_tokens(options: SearchConfig) -> str | None:
    """The first option that is set and needs the whole vocabulary; None where none is."""
    return next((name for name in _WHOLE if options.is_set(name)), None)
