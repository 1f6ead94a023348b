"""The best finished hypotheses of each lane, as tensors until a sentence is done."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from transduce.search.hypothesis import Hypothesis
from transduce.search.live import pick

__all__ = ["Finished"]


@dataclass(frozen=True, slots=True)
class Finished:
    """At most W hypotheses a lane, best first: constraints met before unmet, finished
    before cut, then by score, then the older.

    ``scores`` ``[M, P]`` (-inf where the place is empty), ``tokens`` int64 ``[M, P, t]``,
    ``token_scores`` ``[M, P, t + 1]``, ``lengths`` int64 ``[M, P]``, ``rank`` int64 ``[M, P]``
    (2·met + finished; -1 where empty); ``count`` int64 ``[M]``, how many ever came in
    finished and with all constraints met.
    """

    scores: Tensor
    tokens: Tensor
    token_scores: Tensor
    lengths: Tensor
    rank: Tensor
    count: Tensor

    @classmethod
    def empty(cls, lanes: int, width: int, scores: Tensor) -> Finished:
        """``scores`` gives dtype and device."""
        whole = torch.zeros(lanes, width, dtype=torch.int64, device=scores.device)
        return cls(
            scores.new_full((lanes, width), -torch.inf),
            whole[..., None][..., :0],
            scores.new_zeros(lanes, width, 1),
            whole,
            whole - 1,
            whole.new_zeros(lanes),
        )

    def add(
        self,
        scores: Tensor,
        tokens: Tensor,
        token_scores: Tensor,
        met: Tensor,
        *,
        finished: bool,
    ) -> Finished:
        """Take in hypotheses, keep the best.

        ``scores`` ``[M, E]`` (-inf: nothing), ``tokens`` ``[M, E, t]``, ``token_scores``
        ``[M, E, t + 1]`` if finished, otherwise ``[M, E, t]``, ``met`` bool ``[M, E]``.
        """
        width, steps = self.scores.shape[1], tokens.shape[2]
        there = scores > -torch.inf
        rank = torch.where(there, 2 * met.long() + int(finished), -1)
        all_scores = torch.cat([self.scores, scores.to(self.scores.dtype)], dim=1)
        all_rank = torch.cat([self.rank, rank], dim=1)
        order = all_scores.argsort(dim=1, descending=True, stable=True)
        by_rank = all_rank.gather(1, order).argsort(dim=1, descending=True, stable=True)
        kept = order.gather(1, by_rank)[:, :width]
        old_steps = self.tokens.shape[2]
        token_scores = pad(token_scores, (0, steps + 1 - token_scores.shape[2]))
        older = pad(self.tokens, (0, steps - old_steps))
        older_scores = pad(self.token_scores, (0, steps - old_steps))
        lengths = torch.full_like(rank, steps)
        return Finished(
            all_scores.gather(1, kept),
            pick(torch.cat([older, tokens], dim=1), kept),
            pick(torch.cat([older_scores, token_scores], dim=1), kept),
            torch.cat([self.lengths, lengths], dim=1).gather(1, kept),
            all_rank.gather(1, kept),
            self.count + (rank == 3).sum(1),
        )

    def select(self, lanes: Tensor) -> Finished:
        """Keep some lanes (int64)."""
        return Finished(
            self.scores[lanes],
            self.tokens[lanes],
            self.token_scores[lanes],
            self.lengths[lanes],
            self.rank[lanes],
            self.count[lanes],
        )

    def hypotheses(self, groups: int) -> list[list[Hypothesis]]:
        """For every ``groups`` lanes (one sentence) all their hypotheses, lane by lane."""
        places = zip(
            self.scores.tolist(),
            self.tokens.tolist(),
            self.token_scores.tolist(),
            self.lengths.tolist(),
            self.rank.tolist(),
            strict=True,
        )
        lanes = [
            [_hypothesis(*place) for place in zip(*lane, strict=True) if place[-1] >= 0]
            for lane in places
        ]
        return [
            [found for lane in lanes[first : first + groups] for found in lane]
            for first in range(0, len(lanes), groups)
        ]


def _hypothesis(
    score: float, tokens: list[int], token_scores: list[float], length: int, rank: int
) -> Hypothesis:
    finished = rank % 2 == 1
    own = tuple(token_scores[: length + finished])
    return Hypothesis(tuple(tokens[:length]), score, sum(own), own, finished, rank >= 2)
