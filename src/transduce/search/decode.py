"""The loop of every search: greedy, beam, diverse beam and sampling, over one padded batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.interfaces import BEGIN, Source, State, Stepper
from transduce.search.beam import BeamChooser, Chooser, DiverseChooser
from transduce.search.constraints import Constraints, PhraseAutomaton, check
from transduce.search.finished import Finished
from transduce.search.hypothesis import Hypothesis
from transduce.search.live import Live
from transduce.search.sampling import SampleChooser
from transduce.search.scoring import Limits
from transduce.search.steps import Open, Steps

__all__ = ["decode"]

# The least that a forced token scores: at -inf the whole sentence would count as dead.
_IMPOSSIBLE = -1e4


@torch.no_grad()
def decode(
    stepper: Stepper[Any],
    source: Source,
    options: SearchConfig,
    constraints: Constraints | None = None,
    sentence_numbers: Sequence[int] | None = None,
) -> list[list[Hypothesis]]:
    """The outputs of each sentence of a batch, best first, at least one and at most ``nbest``.

    Ranked: all required phrases before one missing, finished before cut, then by score.
    ``sentence_numbers`` names the sentences for random draws (0, 1, … unless given).
    ``options.prefix``, ``forbidden`` and ``required`` are strings; the caller encodes them
    into ``constraints``. The model stays in the mode (training or not) that it is in.

    Raises SearchError where the options contradict each other or the model.
    """
    if constraints is None:
        if options.prefix or options.forbidden or options.required:
            raise SearchError("prefix, forbidden and required must be encoded into Constraints")
        constraints = Constraints()
    check(options, constraints)
    if not len(source.lengths):
        return []
    numbers = range(len(source.lengths)) if sentence_numbers is None else sentence_numbers
    if len(numbers) != len(source.lengths):
        raise SearchError(
            f"sentence_numbers must have {len(source.lengths)} entries; got {len(numbers)}"
        )
    device = source.tokens.device
    return _Search(options, constraints, torch.tensor(list(numbers), device=device)).run(
        stepper, source
    )


class _Search:
    """One search over one batch. Letters as in ``live.py``; R = G·W rows a sentence."""

    def __init__(self, options: SearchConfig, constraints: Constraints, numbers: Tensor) -> None:
        device = numbers.device
        self.options = options
        self.prefix = constraints.prefix
        self.largest_token = constraints.largest_token
        self.groups = options.nbest if options.sample else options.diverse_groups
        self.width = 1 if options.sample else options.beam // options.diverse_groups
        forbidden, required = constraints.forbidden, constraints.required
        self.forbidden = PhraseAutomaton(forbidden, device) if forbidden else None
        self.required = PhraseAutomaton(required, device) if required else None
        chooser = self._chooser(numbers)
        self.steps = Steps(options, chooser, self.forbidden, self.required)

    def _chooser(self, numbers: Tensor) -> Chooser:
        if self.options.sample:
            return SampleChooser(self.options, numbers, self.groups)
        beam = BeamChooser(self.required)
        if self.groups == 1:
            return beam
        return DiverseChooser(beam, self.groups, self.options.diversity)

    def run(self, stepper: Stepper[Any], source: Source) -> list[list[Hypothesis]]:
        """Step until every sentence is done."""
        results: list[list[Hypothesis]] = [[] for _ in range(len(source.lengths))]
        log_probs, attention, state, now = self._start(stepper, source)
        while True:
            now, parents = self.steps.advance(log_probs, attention, now)
            done = (now.live.scores == -torch.inf).view(len(now.sentences), -1).all(dim=1)
            if bool(done.any()):
                self._collect(now, done, results)
                kept = (~done).nonzero()[:, 0]
                if not len(kept):
                    return results
                lanes = self._lanes_of(kept)
                state, now, parents = state.select(kept), now.select(kept, lanes), parents[lanes]
            if self.width > 1:
                first_rows = torch.arange(len(parents), device=parents.device) * self.width
                state = state.reorder((parents + first_rows[:, None]).flatten())
            logits, state = stepper.step(now.live.tokens[:, :, -1].reshape(-1, 1), state)
            log_probs, attention = self._by_lane(_log_softmax(logits[:, -1])), self._seen(state)

    def _start(
        self, stepper: Stepper[Any], source: Source
    ) -> tuple[Tensor, Tensor | None, Any, Open]:
        """Read BEGIN and the prefix once a sentence, then make room for all hypotheses."""
        count, device = len(source.lengths), source.tokens.device
        rows = self.groups * self.width
        state = stepper.start(source, attention=self.options.coverage_penalty > 0)
        read = torch.tensor([BEGIN, *self.prefix], device=device).repeat(count, 1)
        logits, state = stepper.step(read, state)
        if self.largest_token >= logits.shape[2]:
            raise SearchError(
                f"constraints must hold tokens below the vocabulary's size ({logits.shape[2]}); "
                f"got {self.largest_token}"
            )
        seen = self._attention(state)
        coverage = attention = None
        if seen is not None:
            coverage, attention = self._repeat(seen[:, :-1].sum(1)), self._repeat(seen[:, -1])
        prefix_probs = _log_softmax(logits[:, :-1])
        token_scores = prefix_probs.gather(2, read[:, 1:, None])[..., 0]
        token_scores = token_scores.clamp(min=_IMPOSSIBLE)
        live = self._first(read[:, 1:], token_scores, coverage)
        now = Open(
            torch.arange(count, device=device),
            Limits.of(source.lengths - 1, self.options, len(self.prefix)).repeat(self.groups),
            source.mask.repeat_interleave(self.groups, dim=0),
            Finished.empty(len(live.scores), self.width, live.scores),
            live,
        )
        log_probs = self._repeat(_log_softmax(logits[:, -1]))
        return log_probs, attention, state.expand(rows) if rows > 1 else state, now

    def _first(self, prefix: Tensor, token_scores: Tensor, coverage: Tensor | None) -> Live:
        """Every lane begins with one hypothesis: the prefix, int64 ``[B, P]``."""
        scores = self._repeat(token_scores.sum(1))
        scores[:, 1:] = -torch.inf
        shape = (len(scores), self.width)
        return Live(
            self._repeat(prefix),
            self._repeat(token_scores),
            scores,
            coverage,
            None if self.forbidden is None else self.forbidden.start(shape, self.prefix),
            None if self.required is None else self.required.start(shape, self.prefix),
        )

    def _repeat(self, values: Tensor) -> Tensor:
        """From ``[B, …]`` to ``[M, W, …]``."""
        return self._by_lane(values.repeat_interleave(self.groups * self.width, dim=0))

    def _by_lane(self, values: Tensor) -> Tensor:
        """From ``[N, …]`` to ``[M, W, …]``."""
        return values.view(len(values) // self.width, self.width, *values.shape[1:])

    def _attention(self, state: State) -> Tensor | None:
        """The last step's weights ``[N, T, S]`` where the coverage penalty needs them."""
        if self.options.coverage_penalty == 0:
            return None
        if state.attention is None:
            raise SearchError(
                "coverage_penalty must be 0 for a model without attention; "
                f"got {self.options.coverage_penalty}"
            )
        return state.attention

    def _seen(self, state: State) -> Tensor | None:
        attention = self._attention(state)
        return None if attention is None else self._by_lane(attention[:, -1])

    def _lanes_of(self, sentences: Tensor) -> Tensor:
        offsets = torch.arange(self.groups, device=sentences.device)
        return (sentences[:, None] * self.groups + offsets).flatten()

    def _collect(self, now: Open, done: Tensor, results: list[list[Hypothesis]]) -> None:
        """Write down the outputs of the sentences that are done (bool ``[B]``)."""
        ready = done.nonzero()[:, 0]
        outputs = now.finished.select(self._lanes_of(ready)).hypotheses(self.groups)
        for sentence, found in zip(now.sentences[ready].tolist(), outputs, strict=True):
            if self.groups > 1:
                found = _ranked(found, repeats=self.options.sample)
            results[sentence] = found[: self.options.nbest]


def _ranked(found: list[Hypothesis], repeats: bool) -> list[Hypothesis]:
    """Hypotheses of several lanes, best first; without ``repeats`` each output once."""
    ranked = sorted(found, key=lambda h: (not h.constraints_met, not h.finished, -h.score))
    if repeats:
        return ranked
    best: dict[tuple[int, ...], Hypothesis] = {}
    for hypothesis in ranked:
        best.setdefault(hypothesis.tokens, hypothesis)
    return list(best.values())


def _log_softmax(logits: Tensor) -> Tensor:
    """In single precision at least; always a new tensor, which search may write into."""
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    return torch.log_softmax(logits, dim=-1)
