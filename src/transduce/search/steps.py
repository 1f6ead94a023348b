"""What happens between two calls of a model: choose, take in what ended, cut, go on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.interfaces import END
from transduce.search.bans import Bans
from transduce.search.beam import Chooser
from transduce.search.constraints import PhraseAutomaton
from transduce.search.finished import Finished
from transduce.search.live import Choice, Live, pick
from transduce.search.scoring import Limits, best_possible, coverage_penalty, normalize

__all__ = ["Open", "Steps"]


@dataclass(frozen=True, slots=True)
class Open:
    """All that belongs to the sentences still open. Letters as in ``live.py``.

    ``sentences`` int64 ``[B]``: which of the batch's sentences these are; ``source_mask``
    bool ``[M, S]``: true at real source positions.
    """

    sentences: Tensor
    limits: Limits
    source_mask: Tensor
    finished: Finished
    live: Live

    def select(self, kept: Tensor, lanes: Tensor) -> Open:
        """Keep some sentences (int64) and their lanes (int64)."""
        return Open(
            self.sentences[kept],
            self.limits.select(lanes),
            self.source_mask[lanes],
            self.finished.select(lanes),
            self.live.select(lanes),
        )

    def narrowed(self, columns: int) -> Open:
        """Without source columns that went, being padding to all, when sentences left."""
        if self.live.coverage is None or columns == self.source_mask.shape[1]:
            return self
        live = replace(self.live, coverage=self.live.coverage[..., :columns])
        return replace(self, source_mask=self.source_mask[:, :columns], live=live)


class Steps:
    """The part of a search that needs no model.

    A lane is done when as many hypotheses as it is wide have finished (with all required
    phrases), when it reaches the maximum length, when nothing is permitted any more, or,
    in a plain beam, earlier: when no open hypothesis can still come among the n best.
    """

    def __init__(
        self,
        options: SearchConfig,
        chooser: Chooser,
        forbidden: PhraseAutomaton | None,
        required: PhraseAutomaton | None,
    ) -> None:
        self._options = options
        self._chooser = chooser
        self._forbidden = forbidden
        self._required = required
        self._bans = Bans(forbidden, options.no_repeat_ngram)

    def advance(
        self, log_probs: Tensor, attention: Tensor | None, now: Open
    ) -> tuple[Open, Tensor]:
        """From ``log_probs`` ``[M, W, V]``, which are written into, and ``attention``
        ``[M, W, S]`` to what is open next and the parents int64 ``[M, W]``.
        """
        now = now if attention is None else now.narrowed(attention.shape[2])
        live, coverage = now.live, None
        if attention is not None and live.coverage is not None:
            coverage = live.coverage + attention
        self._bans.apply(log_probs, live, now.limits.minimum)
        choice = self._chooser(log_probs, live, now.sentences)
        if bool(choice.scores.isnan().any() | choice.ended_scores.isnan().any()):
            raise SearchError("scores of the model must be numbers; got NaN")
        finished = self._take_ended(choice, log_probs, coverage, now)
        stuck = (choice.scores == -torch.inf).all(dim=1)
        over = stuck | (now.limits.maximum <= live.tokens.shape[2])
        wanting = over & (finished.count < live.scores.shape[1])
        if bool(wanting.any()):
            finished = self._take_cut(choice, wanting, finished, now)
        following = self._follow(choice, log_probs, coverage, live)
        done = over | self._enough(following.scores, finished, now.limits)
        scores = following.scores.masked_fill(done[:, None], -torch.inf)
        live = replace(following, scores=scores)
        return replace(now, finished=finished, live=live), choice.parents

    def _take_ended(
        self, choice: Choice, log_probs: Tensor, coverage: Tensor | None, now: Open
    ) -> Finished:
        """Hypotheses that took END."""
        if not bool((choice.ended_scores > -torch.inf).any()):
            return now.finished
        live, parents = now.live, choice.ended_parents
        end_scores = pick(log_probs[..., END, None], parents)
        seen = None if coverage is None else pick(coverage, parents)
        return now.finished.add(
            self._final(choice.ended_scores, live.tokens.shape[2] + 1, seen, now.source_mask),
            pick(live.tokens, parents),
            torch.cat([pick(live.token_scores, parents), end_scores], dim=2),
            pick(self._met(live), parents),
            finished=True,
        )

    def _take_cut(self, choice: Choice, over: Tensor, finished: Finished, now: Open) -> Finished:
        """Hypotheses, as they were before this step, of lanes (bool ``[M]``) that go no further."""
        live = now.live
        ends = choice.ended_scores > -torch.inf
        ended = torch.zeros_like(live.scores).scatter_add(
            1, choice.ended_parents, ends.to(live.scores.dtype)
        )
        cut = live.scores.masked_fill(~over[:, None] | (ended > 0), -torch.inf)
        scores = self._final(cut, live.tokens.shape[2], live.coverage, now.source_mask)
        return finished.add(scores, live.tokens, live.token_scores, self._met(live), finished=False)

    def _final(
        self, log_probability: Tensor, length: int, coverage: Tensor | None, source_mask: Tensor
    ) -> Tensor:
        """What hypotheses of ``length`` scored tokens are ranked by, ``[M, E]``."""
        lengths = torch.tensor(length, device=log_probability.device)
        score = normalize(log_probability, lengths, self._options)
        if coverage is None:
            return score
        weight = self._options.coverage_penalty
        return score + coverage_penalty(coverage, source_mask[:, None], weight)

    def _met(self, live: Live) -> Tensor:
        """Bool ``[M, W]``, true where all required phrases are there."""
        if self._required is None or live.required is None:
            return torch.ones_like(live.scores, dtype=torch.bool)
        return self._required.complete(live.required).all(dim=2)

    def _follow(
        self, choice: Choice, log_probs: Tensor, coverage: Tensor | None, live: Live
    ) -> Live:
        """The hypotheses that go on, one token longer."""
        parents, tokens = choice.parents, choice.tokens
        lanes = torch.arange(len(parents), device=parents.device)[:, None]
        chosen = log_probs[lanes, parents, tokens]
        forbidden, required = live.forbidden, live.required
        if self._forbidden is not None and forbidden is not None:
            forbidden = self._forbidden.advance(pick(forbidden, parents), tokens)
        if self._required is not None and required is not None:
            required = self._required.advance(pick(required, parents), tokens)
        return Live(
            torch.cat([pick(live.tokens, parents), tokens[..., None]], dim=2),
            torch.cat([pick(live.token_scores, parents), chosen[..., None]], dim=2),
            choice.scores,
            None if coverage is None else pick(coverage, parents),
            forbidden,
            required,
        )

    def _enough(self, scores: Tensor, finished: Finished, limits: Limits) -> Tensor:
        """Lanes (bool ``[M]``) whose open hypotheses (``[M, W]``) are no longer needed."""
        width = scores.shape[1]
        full = finished.count >= width
        if self._options.diverse_groups > 1 or width == 1:
            return full
        # A beam that goes on only ever adds hypotheses; none can pass this bound. (Not where
        # groups watch each other: there an open hypothesis still changes the next group.)
        last = self._options.nbest - 1
        hope = best_possible(scores.max(dim=1).values, limits.maximum, self._options)
        return full | ((finished.rank[:, last] == 3) & (finished.scores[:, last] >= hope))
