"""Choosing from full rows of log-probabilities: what the options that look at all tokens need."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.config import SearchConfig
from transduce.interfaces import END, Source
from transduce.search.choosing.decision import BoolArray, Decision, FloatArray, IntArray
from transduce.search.choosing.diverse_beam import BeamChooser, Chooser, DiverseChooser
from transduce.search.choosing.open_hypotheses import Live
from transduce.search.choosing.plain_beam import choose, from_rows, wanted
from transduce.search.choosing.sampled_beam import SampledBeamChooser
from transduce.search.choosing.sampling import SampleChooser
from transduce.search.demands import asks_logits
from transduce.search.rules.adjustments import Adjuster, written_before
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
        source: Source,
        numbers: Tensor,
        groups: int,
        width: int,
    ) -> None:
        """``numbers`` int64 ``[B]`` names the sentences for random draws."""
        device, shape = numbers.device, (len(numbers) * groups, width)
        self._groups = groups
        self._width = width
        self._reads_logits = asks_logits(options, constraints)
        self._renormalizes = constraints.adjustments.renormalized
        self._ends = constraints.adjustments.final
        self._adjuster = _adjuster(options, constraints, source, groups, width)
        self._bans = bans(options, constraints, source, groups, width)
        self._required: FollowedPhrases | None = None
        if constraints.required:
            phrases, prefix = constraints.required, constraints.prefix
            self._required = FollowedPhrases(phrases, shape, prefix, device)
        self._followers: list[Ban | FollowedPhrases] = [*self._bans]
        if self._adjuster is not None:
            self._followers.append(self._adjuster)
        if self._required is not None:
            self._followers.append(self._required)
        self._chooser = _chooser(options, self._required, numbers, groups, self._ends)
        self._sentences = torch.arange(len(numbers), device=device)

    def decide(
        self, log_probs: Tensor, scores: FloatArray, length: int, too_short: BoolArray | None
    ) -> Decision:
        """From ``log_probs`` ``[N, V]`` (logits where the options ask for these), which are written
        into, to what the step decides.

        ``scores`` ``[M, W]`` and ``length`` are of the open hypotheses; ``too_short`` bool
        ``[M]`` is true where END is banned.
        """
        lanes, width = scores.shape
        device = log_probs.device
        if self._adjuster is not None:
            self._adjuster.apply(log_probs.view(lanes, width, -1))  # [N, V] → [M, W, V]
        if self._reads_logits:
            log_probs = log_probs.log_softmax(dim=1)
        rows = log_probs.view(lanes, width, -1)  # [N, V] → [M, W, V]
        short = None if too_short is None else torch.from_numpy(too_short).to(device)
        ban_specials(rows, short, self._ends)
        for ban in self._bans:
            ban.apply(rows)
        if self._renormalizes:
            log_probs = log_probs.log_softmax(dim=1).nan_to_num(-torch.inf)
            rows = log_probs.view(lanes, width, -1)  # [N, V] → [M, W, V]
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


def _adjuster(
    options: SearchConfig, constraints: Constraints, source: Source, lanes: int, width: int
) -> Adjuster | None:
    adjustments, prefix = constraints.adjustments, constraints.prefix
    if not (adjustments.changes_scores() or options.is_set("repetition_penalty")):
        return None
    written = written_before(adjustments, source, prefix, lanes, width)
    return Adjuster(options, adjustments, source, written, lanes, len(prefix))


def _chooser(
    options: SearchConfig,
    phrases: FollowedPhrases | None,
    numbers: Tensor,
    groups: int,
    ends: tuple[int, ...],
) -> Chooser | None:
    """None: a plain beam, for which candidates do."""
    required = None if phrases is None else phrases.automaton
    if options.sample_beam > 1:
        return SampledBeamChooser(options, numbers, ends)
    if options.sample:
        return SampleChooser(options, numbers, groups, ends)
    if groups > 1:
        return DiverseChooser(BeamChooser(required, ends), groups, options.diversity)
    return None if required is None and ends == (END,) else BeamChooser(required, ends)
