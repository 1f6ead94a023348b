"""The loop of every search: greedy, beam, diverse beam and sampling, over one padded batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.interfaces import Candidates, Source, Stepper
from transduce.search.bookkeeping.lane import Lane
from transduce.search.bookkeeping.results import results
from transduce.search.bookkeeping.steps import Steps
from transduce.search.choosing.decision import Decision, FloatArray, IntArray
from transduce.search.choosing.full_rows import FullRows
from transduce.search.choosing.plain_beam import choose
from transduce.search.demands import asks_logits, known_symbols
from transduce.search.guessed_language import beginning_with, first_tokens
from transduce.search.hypothesis import Hypothesis
from transduce.search.model_steps import Outlook, Reader
from transduce.search.rules.constraints import Constraints, check, check_vocabulary
from transduce.search.rules.lengths import all_limits
from transduce.search.watching import Watch, Watched
from transduce.search.whole_search import planned

__all__ = ["decode"]


@torch.no_grad()
def decode(
    stepper: Stepper[Any],
    source: Source,
    options: SearchConfig,
    constraints: Constraints | None = None,
    sentence_numbers: Sequence[int] | None = None,
    state: Any = None,
) -> list[list[Hypothesis]]:
    """The outputs of each sentence of a batch, best first, at least one and at most ``nbest``.

    Ranked: all required phrases before one missing, finished before cut, then by score.
    ``sentence_numbers`` names the sentences for random draws (0, 1, … unless given).
    ``options.prefix``, ``forbidden`` and ``required`` are strings; the caller encodes them
    into ``constraints``. The model stays in the mode (training or not) that it is in. A
    ``Proposer`` is asked for candidates in place of full rows where the options permit, a
    ``Searcher`` for the whole search. ``state`` is what ``stepper.start`` made of the source (with
    attention where there is a ``coverage_penalty``), where that is there already.

    Of a ``Watched`` stepper the search is noted, and goes step by step.

    Raises SearchError where the options contradict each other or the model.
    """
    watch: Watch | None = None
    if isinstance(stepper, Watched):
        watch, stepper = stepper.watch, stepper.stepper
    if constraints is None:
        if options.prefix or options.forbidden or options.required:
            raise SearchError("prefix, forbidden and required must be encoded into Constraints")
        constraints = Constraints()
    check(options, constraints)
    if constraints.largest_token >= 0:
        check_vocabulary(known_symbols(stepper), constraints)
    if not len(source.lengths):
        return []
    source = constraints.listed(source, options)
    numbers = range(len(source.lengths)) if sentence_numbers is None else sentence_numbers
    if len(numbers) != len(source.lengths):
        raise SearchError(
            f"sentence_numbers must have {len(source.lengths)} entries; got {len(numbers)}"
        )
    if constraints.first_of:
        return _by_first_token(stepper, source, options, constraints, numbers, watch)
    if watch is None:
        found = planned(stepper, source, options, constraints, state)
        if found is not None:
            return found
    names = torch.tensor(list(numbers), device=source.device)
    search = _Search(options, constraints, source, names)
    more = 0 if watch is None else watch.dropped
    reader = Reader(stepper, source, options, constraints, search.width, state, more)
    if watch is None:
        return search.run(reader, source)
    shape = len(source.lengths), search.groups, search.width
    watch.begin(*shape, constraints.prefix, logits=asks_logits(options, constraints))
    found = search.run(reader, source, watch)
    watch.end(found)
    return found


def _by_first_token(
    stepper: Stepper[Any],
    source: Source,
    options: SearchConfig,
    constraints: Constraints,
    numbers: Sequence[int],
    watch: Watch | None,
) -> list[list[Hypothesis]]:
    """Choose the first token of each sentence, then search those with the same one together."""
    state, chosen = first_tokens(stepper, source, options, constraints)
    outputs: list[list[Hypothesis]] = [[] for _ in chosen]
    for token in sorted(set(chosen)):
        places = [place for place, own in enumerate(chosen) if own == token]
        own_source, own_state = source, state
        if len(places) < len(chosen):
            kept = torch.tensor(places, device=source.device)
            own_source, own_state = source.select(kept), state.select(kept)
        own_numbers = [numbers[place] for place in places]
        begun = beginning_with(constraints, token)
        own = stepper if watch is None else Watched(stepper, watch)
        found = decode(own, own_source, options, begun, own_numbers, own_state)
        for place, hypotheses in zip(places, found, strict=True):
            outputs[place] = hypotheses
    return outputs


class _Search:
    """One search over one batch. Letters as in ``live.py``."""

    def __init__(
        self, options: SearchConfig, constraints: Constraints, source: Source, numbers: Tensor
    ) -> None:
        self.options = options
        self.prefix = constraints.prefix
        self.groups, self.width = options.lanes
        self.full_rows = FullRows(options, constraints, source, numbers, self.groups, self.width)

    def run(
        self, reader: Reader, source: Source, watch: Watch | None = None
    ) -> list[list[Hypothesis]]:
        """Step until every sentence is done."""
        lanes, length = self._lanes(source), len(self.prefix)
        outlook, prefix_scores = reader.begin(
            self.groups * self.width, end_is_banned=any(lane.minimum > length for lane in lanes)
        )
        scores = self._first_scores(prefix_scores.sum(axis=1))
        steps = Steps(self.options, lanes, scores, length, self.groups, reader.coverage)
        while True:
            decision = self._decide(outlook, steps)
            if watch is None:
                stay = steps.finish(decision, self.full_rows.met())
            else:
                stay = self._finish(steps, decision, outlook, watch)
            if not steps.lanes:
                return results(lanes, steps.history, self.prefix, prefix_scores, self.options)
            reader.move(decision.rows, stay)
            if stay is not None:
                decision = decision.select(stay, self.groups)
            steps.follow(decision)
            self.full_rows.follow(decision, stay)
            outlook = reader.read(decision.tokens, end_is_banned=steps.end_is_banned)

    def _finish(
        self, steps: Steps, decision: Decision, outlook: Outlook, watch: Watch
    ) -> IntArray | None:
        lanes, scores = list(steps.lanes), steps.scores
        open_before = [not lane.done for lane in lanes]
        bound = self.options.stopping == "bound"  # else nothing takes END at the maximum
        may_end = [bound or steps.length < lane.maximum for lane in lanes]
        stay = steps.finish(decision, self.full_rows.met())
        watch.step(outlook, decision, lanes, open_before, may_end, scores)
        watch.go_on(stay)
        return stay

    def _lanes(self, source: Source) -> list[Lane]:
        return [
            Lane(sentence, *bounds)
            for sentence, bounds in enumerate(all_limits(source, self.options, len(self.prefix)))
            for _ in range(self.groups)
        ]

    def _first_scores(self, totals: FloatArray) -> FloatArray:
        """Every lane begins with one hypothesis: the prefix, with ``totals`` ``[B]``."""
        scores = np.full((len(totals) * self.groups, self.width), -np.inf, totals.dtype)
        scores[:, 0] = totals.repeat(self.groups)
        return scores

    def _decide(self, outlook: Outlook, steps: Steps) -> Decision:
        too_short = steps.too_short()
        if isinstance(outlook, Candidates):
            return choose(outlook, steps.scores, too_short)
        return self.full_rows.decide(outlook, steps.scores, steps.length, too_short)
