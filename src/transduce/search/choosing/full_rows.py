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
from transduce.search.rules.bans import Bans
from transduce.search.rules.constraints import Constraints, PhraseAutomaton

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
        forbidden, required, prefix = (
            constraints.forbidden,
            constraints.required,
            constraints.prefix,
        )
        self._forbidden = PhraseAutomaton(forbidden, device) if forbidden else None
        self._required = PhraseAutomaton(required, device) if required else None
        self._bans = Bans(self._forbidden, options.no_repeat_ngram)
        self._chooser = _chooser(options, self._required, numbers, groups)
        self._sentences = torch.arange(len(numbers), device=device)
        # States of the open hypotheses, [N, …]: of the automata, and what was written.
        self._forbidden_state = _start(self._forbidden, shape, prefix)
        self._required_state = _start(self._required, shape, prefix)
        self._tokens: Tensor | None = None
        if options.no_repeat_ngram is not None:
            self._tokens = torch.tensor(prefix, dtype=torch.int64, device=device).repeat(*shape, 1)

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
        live = Live(
            length,
            torch.from_numpy(scores).to(device),
            self._tokens,
            self._forbidden_state,
            self._required_state,
        )
        short = None if too_short is None else torch.from_numpy(too_short).to(device)
        self._bans.apply(rows, live, short)
        if self._chooser is None:
            return choose(from_rows(log_probs, wanted(width)), scores)
        return Decision.of(self._chooser(rows, live, self._sentences), rows)

    def follow(self, decision: Decision, stay: IntArray | None) -> None:
        """Take the tokens of ``decision``; ``stay`` int64: the sentences it holds, if not all."""
        if stay is not None:
            self._sentences = self._sentences[torch.from_numpy(stay).to(self._sentences.device)]
        states = (self._tokens, self._forbidden_state, self._required_state)
        if all(state is None for state in states):
            return
        device = self._sentences.device
        rows = torch.from_numpy(decision.rows).to(device)
        tokens = torch.from_numpy(decision.tokens).to(device).contiguous()
        if self._tokens is not None:
            before = self._tokens.flatten(0, 1)[rows]  # [M, W, t] → [N, t], of which [M, W, t]
            self._tokens = torch.cat([before, tokens[..., None]], dim=2)
        self._forbidden_state = _advance(self._forbidden, self._forbidden_state, rows, tokens)
        self._required_state = _advance(self._required, self._required_state, rows, tokens)

    def met(self) -> BoolArray | None:
        """Bool ``[N]``, true where all required phrases are there; None where none is required."""
        if self._required is None or self._required_state is None:
            return None
        met: BoolArray = (
            # [M, W, F] → [M, W] → [N]
            self._required.complete(self._required_state).all(2).flatten().cpu().numpy()
        )
        return met


def _chooser(
    options: SearchConfig, required: PhraseAutomaton | None, numbers: Tensor, groups: int
) -> Chooser | None:
    """None: a plain beam, for which candidates do."""
    if options.sample:
        return SampleChooser(options, numbers, groups)
    if groups > 1:
        return DiverseChooser(BeamChooser(required), groups, options.diversity)
    return None if required is None else BeamChooser(required)


def _start(
    automaton: PhraseAutomaton | None, shape: tuple[int, int], prefix: tuple[int, ...]
) -> Tensor | None:
    return None if automaton is None else automaton.start(shape, prefix)


def _advance(
    automaton: PhraseAutomaton | None, state: Tensor | None, rows: Tensor, tokens: Tensor
) -> Tensor | None:
    if automaton is None or state is None:
        return None
    return automaton.advance(state.flatten(0, 1)[rows], tokens)  # [M, W, F] → [N, F]
