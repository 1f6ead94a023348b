"""Which hypotheses a beam keeps where that takes full rows: diverse groups, required phrases.

A plain beam needs less: ``candidates.choose``.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from transduce.interfaces import END
from transduce.search.choosing.open_hypotheses import Choice, Live, pick
from transduce.search.choosing.top_k import top
from transduce.search.rules.constraints import PhraseAutomaton

__all__ = ["BeamChooser", "Chooser", "DiverseChooser", "are_ends", "split"]


class Chooser(Protocol):
    """One step of a search in all lanes."""

    def __call__(self, log_probs: Tensor, live: Live, sentences: Tensor) -> Choice:
        """From ``log_probs`` ``[M, W, V]`` (banned: -inf) to what the step chose.

        ``sentences`` int64 ``[B]`` numbers the sentences that are still open.
        """
        ...


class BeamChooser:
    """Keeps the W best continuations of each lane.

    Of the best 2·W those that are END and among the first W end there; the W best others
    go on. With required phrases the beam is shared out among hypotheses by how much of the
    phrases they hold (dynamic beam allocation, Post & Vilar 2018).
    """

    def __init__(self, required: PhraseAutomaton | None, ends: tuple[int, ...] = (END,)) -> None:
        """``ends`` are the tokens that end a hypothesis."""
        self._required = required
        self._ends = ends

    def __call__(self, log_probs: Tensor, live: Live, sentences: Tensor) -> Choice:
        """See ``Chooser``."""
        return self.choose(log_probs, log_probs, live)

    def choose(self, log_probs: Tensor, preference: Tensor, live: Live) -> Choice:
        """Like a call, but ordered by ``preference`` ``[M, W, V]`` in place of ``log_probs``."""
        width = live.scores.shape[1]
        if self._required is None or live.required is None:
            # One candidate is enough for a beam of one: where it is END, the lane is done.
            count = (1 + len(self._ends)) * width if width > 1 else 1
            parents, tokens, _ = _best(preference, live.scores, count)
            scores = _scores(log_probs, live, parents, tokens)
            return split(parents, tokens, scores, width, self._ends)
        return _allocate(log_probs, preference, live, live.required, self._required)


class DiverseChooser:
    """Diverse beam search (Vijayakumar et al. 2018) with Hamming diversity.

    Group g orders its candidates by log-probability less λ times the number of hypotheses
    of groups 1 … g-1 that took the same token at this step. Scores stay the model's.
    """

    def __init__(self, beam: BeamChooser, groups: int, diversity: float) -> None:
        self._beam = beam
        self._groups = groups
        self._diversity = diversity

    def __call__(self, log_probs: Tensor, live: Live, sentences: Tensor) -> Choice:
        """See ``Chooser``."""
        lanes, _, size = log_probs.shape
        taken = log_probs.new_zeros(lanes // self._groups, size)
        choices: list[Choice] = []
        for group in range(self._groups):
            own = torch.arange(group, lanes, self._groups, device=log_probs.device)
            group_probs = log_probs[own]
            preference = group_probs - self._diversity * taken[:, None]
            choice = self._beam.choose(group_probs, preference, live.select(own))
            taken.scatter_add_(1, choice.tokens, (choice.scores > -torch.inf).to(taken.dtype))
            choices.append(choice)
        return Choice(
            _interleave([c.parents for c in choices]),
            _interleave([c.tokens for c in choices]),
            _interleave([c.scores for c in choices]),
            _interleave([c.ended_parents for c in choices]),
            _interleave([c.ended_scores for c in choices]),
            _interleave([c.ended_tokens for c in choices if c.ended_tokens is not None])
            if choices[0].ended_tokens is not None
            else None,
        )


def _interleave(groups: list[Tensor]) -> Tensor:
    return torch.stack(groups, dim=1).flatten(0, 1)  # [M/G, G, …] → [M, …]


def _best(preference: Tensor, scores: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Parents, tokens and preferred scores of each lane's best continuations, ``[M, C]``."""
    lanes, width, size = preference.shape
    # First within each row: that needs no [M, W·V] of sums, and a row gives at most ``count``.
    # [M, W, V] → [M·W, V], of which [M·W, n]
    values, tokens = top(preference.reshape(lanes * width, size), count)
    each = values.shape[1]
    sums = scores[:, :, None] + values.reshape(lanes, width, each)  # [M, W, n]
    found, places = top(sums.flatten(1), count)  # [M, W·n]
    # [M·W, n] → [M, W·n]
    return places // each, tokens.reshape(lanes, -1).gather(1, places), found


def _scores(log_probs: Tensor, live: Live, parents: Tensor, tokens: Tensor) -> Tensor:
    lanes = torch.arange(len(parents), device=parents.device)[:, None]
    return live.scores.gather(1, parents) + log_probs[lanes, parents, tokens]


def split(
    parents: Tensor, tokens: Tensor, scores: Tensor, width: int, final: tuple[int, ...]
) -> Choice:
    """Candidates ``[M, C]``, best first, into those that end and the W that go on."""
    ends = are_ends(tokens, final)
    ended = torch.where(ends, scores, -torch.inf)[:, :width]
    by = None if final == (END,) else tokens[:, :width]
    if tokens.shape[1] == 1:
        open_score = torch.where(ends, -torch.inf, scores)
        return Choice(parents, tokens, open_score, parents, ended, by)
    first = ends.long().argsort(dim=1, stable=True)[:, :width]
    open_scores = torch.where(ends, -torch.inf, scores)
    return Choice(
        parents.gather(1, first),
        tokens.gather(1, first),
        open_scores.gather(1, first),
        parents[:, :width],
        ended,
        by,
    )


def are_ends(tokens: Tensor, final: tuple[int, ...]) -> Tensor:
    """Bool, true where a token is one of those that end a hypothesis."""
    found = tokens == final[0]
    for token in final[1:]:
        found |= tokens == token
    return found


def _allocate(
    log_probs: Tensor,
    preference: Tensor,
    live: Live,
    state: Tensor,
    required: PhraseAutomaton,
) -> Choice:
    """Dynamic beam allocation: ``state`` ``[M, W, F]`` is how much of the phrases is held.

    A hypothesis with all phrases ends where END is among the W best continuations of such
    hypotheses; one without, where END is among the W best of all (then it has failed).
    """
    width, size = live.scores.shape[1], log_probs.shape[2]
    met = required.complete(state).all(dim=2)
    complete = _ending(preference, live.scores.masked_fill(~met, -torch.inf), width)
    failed = _ending(preference, live.scores.masked_fill(met, -torch.inf), width, live.scores)
    ended_parents = torch.cat([complete[0], failed[0]], dim=1)
    ends = torch.cat([complete[1], failed[1]], dim=1)
    ended_scores = _scores(log_probs, live, ended_parents, torch.full_like(ended_parents, END))

    going_on = preference.clone()
    going_on[..., END] = -torch.inf
    parents, tokens, order = _candidates(going_on, live.scores, required.next_tokens(state))
    bank = required.advance(pick(state, parents), tokens).sum(dim=2)
    order = _without_repeats(order, parents * size + tokens)
    first = _take_turns(order, bank)[:, :width]
    parents, tokens = parents.gather(1, first), tokens.gather(1, first)
    scores = _scores(log_probs, live, parents, tokens)
    return Choice(
        parents,
        tokens,
        scores.masked_fill(order.gather(1, first) == -torch.inf, -torch.inf),
        ended_parents,
        ended_scores.masked_fill(~ends, -torch.inf),
    )


def _ending(
    preference: Tensor, eligible: Tensor, width: int, scores: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Which of the W best continuations of ``scores`` are END of an ``eligible`` hypothesis."""
    parents, tokens, _ = _best(preference, eligible if scores is None else scores, width)
    return parents, (tokens == END) & (eligible.gather(1, parents) > -torch.inf)


def _candidates(
    preference: Tensor, scores: Tensor, wanted: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Parents, tokens and preferred scores ``[M, C]`` of all that may fill a beam.

    The best of the lane, the best of each hypothesis, and each hypothesis with each
    token ``[M, W, F]`` that takes a required phrase forward.
    """
    lanes, width, phrases = wanted.shape
    parents, tokens, order = _best(preference, scores, 2 * width)
    own = preference.max(dim=2)
    rows = torch.arange(width, device=scores.device).expand(lanes, width)
    forced = scores[:, :, None] + preference.gather(2, wanted)
    return (
        torch.cat([parents, rows, rows.repeat_interleave(phrases, dim=1)], dim=1),
        # [M, W, F] → [M, W·F], beside [M, C] and [M, W]
        torch.cat([tokens, own.indices, wanted.flatten(1)], dim=1),
        # as the tokens: [M, C + W + W·F]
        torch.cat([order, scores + own.values, forced.flatten(1)], dim=1),
    )


def _without_repeats(order: Tensor, keys: Tensor) -> Tensor:
    """``order`` with -inf in place of every candidate whose key an earlier one has."""
    by_key = keys.sort(dim=1, stable=True)
    repeated = torch.zeros_like(keys, dtype=torch.bool)
    repeated[:, 1:] = by_key.values[:, 1:] == by_key.values[:, :-1]
    repeats = torch.zeros_like(repeated).scatter(1, by_key.indices, repeated)
    return order.masked_fill(repeats, -torch.inf)


def _take_turns(order: Tensor, bank: Tensor) -> Tensor:
    """Places ``[M, C]``: the best of each bank, fullest bank first, then the second of each, …

    Candidates with ``order`` -inf come last.
    """
    by_score = order.argsort(dim=1, descending=True, stable=True)
    sorted_bank = bank.gather(1, by_score).sort(dim=1, descending=True, stable=True)
    by_bank = by_score.gather(1, sorted_bank.indices)
    position = torch.arange(order.shape[1], device=order.device).expand_as(bank)
    starts = torch.ones_like(bank, dtype=torch.bool)
    starts[:, 1:] = sorted_bank.values[:, 1:] != sorted_bank.values[:, :-1]
    turn = position - torch.where(starts, position, 0).cummax(dim=1).values
    nothing = order.gather(1, by_bank) == -torch.inf
    turn = turn.masked_fill(nothing, order.shape[1])
    return by_bank.gather(1, turn.argsort(dim=1, stable=True))
