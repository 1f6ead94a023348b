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
    """What a step over full rows chose in each lane.

    ``parents``, ``tokens`` int64 and ``scores`` ``[M, W]``: how the lane goes on, the
    log-probability being -inf where nothing is left. ``ended_parents`` and
    ``ended_scores`` ``[M, E]``: which hypotheses end here, -inf where none does; by which
    ``ended_tokens`` ``[M, E]``, None: by END.
    """

    parents: Tensor
    tokens: Tensor
    scores: Tensor
    ended_parents: Tensor
    ended_scores: Tensor
    ended_tokens: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """What a choice over full rows knows of the open hypotheses, on the device.

    ``length`` counts the tokens of each; ``scores`` ``[M, W]`` (log-probabilities; -inf where
    there is no hypothesis); ``required`` int64 ``[M, W, F]``: how much they hold of each phrase.
    """

    length: int
    scores: Tensor
    required: Tensor | None

    def select(self, lanes: Tensor) -> Live:
        """Keep some lanes (int64)."""
        return Live(
            self.length,
            self.scores[lanes],
            None if self.required is None else self.required[lanes],
        )
