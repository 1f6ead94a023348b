"""The open hypotheses of a search, all sentences at once.

A sentence has G lanes (groups of a diverse beam, or independent draws; otherwise one)
of W hypotheses each, M = B·G lanes in all; row ``n`` of the decoder's state is
hypothesis ``n % W`` of lane ``n // W``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Choice", "Live", "pick"]


def pick(values: Tensor, parents: Tensor) -> Tensor:
    """Entries ``[M, E, ...]`` of ``values`` ``[M, W, ...]`` at ``parents`` int64 ``[M, E]``."""
    if values.shape[1] == 1 and parents.shape[1] == 1:
        return values  # one hypothesis a lane is its own parent
    lanes = torch.arange(values.shape[0], device=values.device)[:, None]
    return values[lanes, parents]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a step chose in each lane.

    ``parents``, ``tokens`` int64 and ``scores`` ``[M, W]``: how the lane goes on, the
    log-probability being -inf where nothing is left. ``ended_parents`` and
    ``ended_scores`` ``[M, E]``: which hypotheses end here, -inf where none does.
    """

    parents: Tensor
    tokens: Tensor
    scores: Tensor
    ended_parents: Tensor
    ended_scores: Tensor


@dataclass(frozen=True, slots=True)
class Live:
    """Open hypotheses: ``tokens`` int64 ``[M, W, t]``, ``token_scores`` ``[M, W, t]``,
    ``scores`` ``[M, W]`` (their sums; -inf where there is no hypothesis), ``coverage``
    ``[M, W, S]`` (attention summed over the steps), ``forbidden`` and ``required``
    int64 ``[M, W, F]`` (states of the phrase automata).
    """

    tokens: Tensor
    token_scores: Tensor
    scores: Tensor
    coverage: Tensor | None
    forbidden: Tensor | None
    required: Tensor | None

    def select(self, lanes: Tensor) -> Live:
        """Keep some lanes (int64)."""
        return Live(
            self.tokens[lanes],
            self.token_scores[lanes],
            self.scores[lanes],
            None if self.coverage is None else self.coverage[lanes],
            None if self.forbidden is None else self.forbidden[lanes],
            None if self.required is None else self.required[lanes],
        )
