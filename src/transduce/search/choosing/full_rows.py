"""Choosing from full rows of log-probabilities: what the options that look at all tokens need."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.config import SearchConfig
from transduce.search.choosing.decision import BoolArray, Decision, FloatArray, IntArray
from transduce.search.choosing.diverse_beam import BeamChooser, Chooser, DiverseChooser
from transduce.search.choosing.open_hypotheses import Live
from transduce.search.choosing.plain_beam import choose, from_rows, wanted
from transduce.search.choosing.sampling import SampleChooser
from transduce.search.rules.bans import Ban, ban_specials, bans
from transduce.search.rules.constraints import Constraints, FollowedPhrases

__all__ = ["FullRows"]


class FullRows:
    """Applies bans and chooses; follows, on the device, what hypotheses have of the phrases.

    Letters as in ``live.py``.
    """

    def __init__(
        self,
        options: SearchConfig,
        constraints: Constraints,
        numbers: Tensor,
        groups: int,
        width: int,
    ) -> None:
        """``numbers`` int64 ``[B]`` names the sentences for random draws."""
        device, shape = numbers.device, (len(numbers) * groups, width)
        self._groups = groups
        self._width = width
        self._bans = bans(options, constraints, shape, device)
        self._required: FollowedPhrases | None = None
        if constraints.required:
            phrases, prefix = constraints.required, constraints.prefix
            self._required = FollowedPhrases(phrases, shape, prefix, device)
        self._followers: list[Ban | FollowedPhrases] = [*self._bans]
        if self._required is not None:
            self._followers.append(self._required)
        self._chooser = _chooser(options, self._required, numbers, groups)
        self._sentences = torch.arange(len(numbers), device=device)

    def decide(
        self, log_probs: Tensor, scores: FloatArray, length: int, too_short: BoolArray | None
    ) -> Decision:
        """From ``log_probs`` ``[N, V]``, which are written into, to what the step decides.

        ``scores`` ``[M, W]`` and ``length`` are of the open hypotheses; ``too_short`` bool
        ``[M]`` is true where END is banned.
        """
        lanes, width = scores.shape
        device = log_probs.device
        rows = log_probs.view(lanes, width, -1)  # [N, V] → [M, W, V]
        ban_specials(rows, None if too_short is None else torch.from_numpy(too_short).to(device))
        for ban in self._bans:
            ban.apply(rows)
        if self._chooser is None:
            return choose(from_rows(log_probs, wanted(width)), scores)
        required = None if self._required is None else self._required.state
        live = Live(length, torch.from_numpy(scores).to(device), required)
        return Decision.of(self._chooser(rows, live, self._sentences), rows)

    def follow(self, decision: Decision, stay: IntArray | None) -> None:
        """Take the tokens of ``decision``; ``stay`` int64: the sentences it holds, if not all."""
        if stay is not None:
            self._sentences = self._sentences[torch.from_numpy(stay).to(self._sentences.device)]
        if not self._followers:
            return
        device = self._sentences.device
        rows = torch.from_numpy(decision.rows).to(device)
        tokens = torch.from_numpy(decision.tokens).to(device).contiguous()
        for follower in self._followers:
            follower.follow(rows, tokens)

    def met(self) -> BoolArray | None:
        """Bool ``[N]``, true where all required phrases are there; None where none is required."""
        if self._required is None:
            return None
        complete = self._required.automaton.complete(self._required.state)
        met: BoolArray = complete.all(2).flatten().cpu().numpy()  # [M, W, F] → [M, W] → [N]
        return met


def _chooser(
    options: SearchConfig, phrases: FollowedPhrases | None, numbers: Tensor, groups: int
) -> Chooser | None:
    """None: a plain beam, for which candidates do."""
    required = None if phrases is None else phrases.automaton
    if options.sample:
        return SampleChooser(options, numbers, groups)
    if groups > 1:
        return DiverseChooser(BeamChooser(required), groups, options.diversity)
    return None if required is None else BeamChooser(required)
