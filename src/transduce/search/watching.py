"""Watching a search: what it kept, dropped and finished at each step, as trees.

A :class:`Watched` stepper stands in the place of the stepper that is watched; a search that meets
one notes what it decides, and decides the same. Where nobody watches nothing is noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from torch import Tensor

from transduce.interfaces import END, Candidates, Source, Stepper
from transduce.search.bookkeeping.lane import Lane
from transduce.search.choosing.decision import Decision, FloatArray, IntArray
from transduce.search.hypothesis import Hypothesis

__all__ = ["Branch", "Fate", "SearchTree", "Watch", "Watched"]

# What became of a continuation. ``stopped``: the search was over before it could go on; ``cut``:
# it reached the maximum length and is an output without an end.
Fate = Literal["kept", "dropped", "finished", "stopped", "cut"]


@dataclass(frozen=True, slots=True)
class Branch:
    """A continuation that a search looked at, by one token.

    ``parent`` is the number of the branch that it continues, -1 the beginning. ``step`` counts
    tokens from 1, a forced prefix not among them; ``lane`` is the group or the draw.
    ``log_probability`` (nats) is the token's, ``total`` the sum of all so far, by which open
    hypotheses are ranked. ``rank`` is its place among the outputs, from 0, and ``score`` what
    these are ranked by; None for all others.
    """

    parent: int
    step: int
    lane: int
    token: int
    log_probability: float
    total: float
    fate: Fate
    rank: int | None = None
    score: float | None = None


@dataclass
class SearchTree:
    """All branches of one sentence's search, parents before children; ``prefix`` was forced."""

    prefix: tuple[int, ...] = ()
    branches: list[Branch] = field(default_factory=list)

    def path(self, number: int) -> tuple[int, ...]:
        """The tokens from the beginning to a branch, the prefix first."""
        tokens: list[int] = []
        while number >= 0:
            tokens.append(self.branches[number].token)
            number = self.branches[number].parent
        return (*self.prefix, *tokens[::-1])


class Watch:
    """Takes notes of searches. ``trees`` has one for each sentence, in the order of decoding.

    Of what was dropped the ``dropped`` most probable of each step and lane are noted.
    """

    def __init__(self, dropped: int = 5) -> None:
        self.trees: list[SearchTree] = []
        self.dropped = dropped

    def begin(
        self, sentences: int, lanes: int, width: int, prefix: tuple[int, ...], *, logits: bool
    ) -> None:
        """A batch, each sentence with so many ``lanes`` of ``width`` hypotheses; ``logits``: what
        may come next is told by these and not by log-probabilities.
        """
        self._own = [SearchTree(prefix) for _ in range(sentences)]
        self.trees += self._own
        self._lanes, self._width, self._logits, self._step = lanes, width, logits, 0
        self._level = [-1] * (sentences * lanes * width)  # the branch of each open hypothesis
        self._next = list(self._level)

    def step(
        self,
        outlook: Candidates | Tensor,
        decision: Decision,
        lanes: Sequence[Lane],
        open_before: Sequence[bool],
        may_end: Sequence[bool],
        scores: FloatArray,
    ) -> None:
        """What a step decided for ``lanes``, after they took in what ended.

        ``scores`` ``[M, W]`` were those of the open hypotheses; ``open_before`` says which lanes
        were not done, ``may_end`` in which hypotheses could end.
        """
        self._step += 1
        width = self._width
        self._next = [-1] * len(self._level)
        taken: set[tuple[int, int]] = set()
        for place, row in enumerate(decision.ended_rows.tolist()):
            token = END if decision.ended_tokens is None else int(decision.ended_tokens[place])
            taken.add((row, token))
            if open_before[row // width] and may_end[row // width]:
                own = float(decision.ended_token_scores[place])
                total = float(decision.ended_scores[place])
                self._add(lanes, row, token, own, total, "finished")
        for row in range(len(self._level)):
            at = divmod(row, width)
            total = float(decision.scores[at])
            if not open_before[at[0]] or total == -np.inf:
                continue
            before, token = int(decision.rows[at]), int(decision.tokens[at])
            taken.add((before, token))
            fate: Fate = "stopped" if lanes[at[0]].done else "kept"
            own = float(decision.token_scores[at])
            self._next[row] = self._add(lanes, before, token, own, total, fate)
        self._note_dropped(outlook, lanes, open_before, scores, taken)

    def go_on(self, stay: IntArray | None) -> None:
        """The next step is of the sentences at the places ``stay`` alone; None: of all."""
        # [B, G·W]
        rows = np.array(self._next, dtype=np.int64).reshape(-1, self._lanes * self._width)
        self._level = (rows if stay is None else rows[stay]).ravel().tolist()

    def end(self, outputs: Sequence[Sequence[Hypothesis]]) -> None:
        """What the search gives for each sentence of the batch."""
        for tree, found in zip(self._own, outputs, strict=True):
            _mark(tree, found)

    def _note_dropped(
        self,
        outlook: Candidates | Tensor,
        lanes: Sequence[Lane],
        open_before: Sequence[bool],
        scores: FloatArray,
        taken: set[tuple[int, int]],
    ) -> None:
        values, tokens = self._likeliest(outlook)
        sums = values + scores.reshape(-1, 1)  # [N, n] + [N, 1]
        for lane, is_open in enumerate(open_before):
            first = lane * self._width
            own = sums[first : first + self._width]
            left = self.dropped if is_open else 0
            for place in np.argsort(-own, axis=None, kind="stable").tolist():
                if not left:
                    break
                rank, column = divmod(place, own.shape[1])
                row, total = first + rank, float(own[rank, column])
                token = int(tokens[row, column])
                if total > -np.inf and (row, token) not in taken:
                    left -= 1
                    self._add(lanes, row, token, float(values[row, column]), total, "dropped")

    def _likeliest(self, outlook: Candidates | Tensor) -> tuple[FloatArray, IntArray]:
        """Log-probabilities and tokens ``[N, n]``: as many as can be taken or noted."""
        if isinstance(outlook, Tensor):
            log_probs = outlook.log_softmax(dim=1) if self._logits else outlook
            count = min(2 * self._width + self.dropped, log_probs.shape[1])
            values, tokens = log_probs.topk(count, dim=1)
        else:
            values, tokens = outlook.log_probs, outlook.tokens
        return values.cpu().numpy(), tokens.cpu().numpy()

    def _add(
        self, lanes: Sequence[Lane], row: int, token: int, own: float, total: float, fate: Fate
    ) -> int:
        lane = row // self._width
        branches = self._own[lanes[lane].sentence].branches
        parent = self._level[row]
        branches.append(Branch(parent, self._step, lane % self._lanes, token, own, total, fate))
        return len(branches) - 1


def _mark(tree: SearchTree, found: Sequence[Hypothesis]) -> None:
    """Say which branches are outputs; several draws may be the same."""
    free = [n for n, branch in enumerate(tree.branches) if branch.fate in ("kept", "finished")]
    ends: dict[tuple[tuple[int, ...], bool], list[int]] = {}
    for number in free:
        branch, path = tree.branches[number], tree.path(number)
        finished = branch.fate == "finished"
        ends.setdefault((path[:-1] if finished and path[-1] == END else path, finished), []).append(
            number
        )
    for rank, output in enumerate(found):
        # An end that is forced, and costs nothing, is no branch of its own.
        for finished in (output.finished, False):
            if places := ends.get((output.tokens, finished)):
                number = places.pop(0)
                fate: Fate = "finished" if output.finished else "cut"
                own = tree.branches[number]
                tree.branches[number] = replace(own, fate=fate, rank=rank, score=output.score)
                break


@dataclass(frozen=True)
class Watched:
    """A stepper whose searches ``watch`` takes notes of. They go step by step, whatever it can."""

    stepper: Stepper[Any]
    watch: Watch

    def start(self, source: Source, *, attention: bool = False) -> Any:
        """As the stepper does."""
        return self.stepper.start(source, attention=attention)

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """As the stepper does."""
        return self.stepper.step(tokens, state)
