"""What happens between two calls of a model: take in what ended, cut, go on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from transduce.config import SearchConfig
from transduce.interfaces import END
from transduce.search.bookkeeping.history import History
from transduce.search.bookkeeping.lane import Lane, LaneOutput
from transduce.search.choosing.decision import BoolArray, Decision, FloatArray, IntArray
from transduce.search.rules.coverage import Coverage
from transduce.search.rules.lengths import normalize

__all__ = ["Steps"]


class Steps:
    """The books of a search, kept on the host. Letters as in ``live.py``.

    A lane is done when it has enough (``Lane.enough``), when it reaches the maximum length, and
    when nothing is permitted any more.
    """

    def __init__(
        self,
        options: SearchConfig,
        lanes: list[Lane],
        scores: FloatArray,
        prefix: int,
        groups: int,
        coverage: Coverage | None,
    ) -> None:
        """``scores`` ``[M, W]`` of the open hypotheses, which have ``prefix`` tokens each."""
        self._options = options
        self._groups = groups
        self._coverage = coverage
        self._longest_minimum = max(lane.minimum for lane in lanes)
        self.history = History()
        self.lanes = lanes  # those of sentences still open
        for lane in lanes:
            lane.room = scores.shape[1]
        self.scores = scores
        self.length = prefix  # tokens of each open hypothesis

    @property
    def end_is_banned(self) -> bool:
        """Whether some sentence may not end yet."""
        return self.length < self._longest_minimum

    def too_short(self) -> BoolArray | None:
        """Bool ``[M]``, true where a lane may not end yet; None where all may."""
        if not self.end_is_banned:
            return None
        return np.array([lane.minimum > self.length for lane in self.lanes])

    def finish(self, decision: Decision, met: BoolArray | None) -> IntArray | None:
        """Take in what ends at this step; gives the places of the sentences that stay open,
        None where all do.

        ``met`` bool ``[N]``: which open hypotheses hold all required phrases; None: all do.
        """
        width, length = self.scores.shape[1], self.length
        if self._like_generate:
            decision = self._without_late_ends(decision)
        ended = decision.ended_rows.tolist()
        if ended:
            self._take_ended(decision, ended, met)
        best = decision.scores.max(axis=1).tolist()
        wanting: list[int] = []
        any_done = False
        for place, (lane, score) in enumerate(zip(self.lanes, best, strict=True)):
            if lane.done:
                continue
            over = score == -np.inf or length >= lane.maximum
            if over or (lane.count and self._enough(lane, score, phrases=met is not None)):
                any_done = lane.done = True
                if over and (lane.count < width or self._like_generate):
                    wanting.append(place)
        if wanting:
            self._take_cut(wanting, set(ended), met)
        if self._like_generate:
            self._note_room(ended)
        return self._drop() if any_done else None

    @property
    def _like_generate(self) -> bool:
        return self._options.stopping != "bound"

    def _without_late_ends(self, decision: Decision) -> Decision:
        """Nothing takes END in a lane at its maximum: what is open is cut, or ends for free."""
        width = self.scores.shape[1]
        late = [row // width for row in decision.ended_rows.tolist()]
        kept = np.array([self.length < self.lanes[place].maximum for place in late], dtype=bool)
        return replace(
            decision,
            ended_rows=decision.ended_rows[kept],
            ended_token_scores=decision.ended_token_scores[kept],
            ended_scores=decision.ended_scores[kept],
            ended_tokens=None if decision.ended_tokens is None else decision.ended_tokens[kept],
        )

    def _note_room(self, ended: list[int]) -> None:
        """Of W places of this step END took some: so many fewer go on, should this be the last."""
        width = self.scores.shape[1]
        taken = Counter(row // width for row in ended)
        for place, lane in enumerate(self.lanes):
            lane.room = width - taken[place]

    def _enough(self, lane: Lane, best: float, *, phrases: bool) -> bool:
        width = self.scores.shape[1]
        cut_next = self._like_generate and not self._options.forced_end
        if cut_next and width > 1 and self.length + 1 >= lane.maximum:
            return False  # what the next step cuts counts as of this one
        return lane.enough(best, self.length + 1, width, self._options, phrases=phrases)

    def follow(self, decision: Decision) -> None:
        """Go on with ``decision``, which holds the sentences still open."""
        self.history.append(decision.tokens, decision.token_scores, decision.rows)
        self.scores = decision.scores
        self.length += 1
        if self._groups > 1:  # a lane may be done while another of its sentence goes on
            done = np.array([lane.done for lane in self.lanes])
            self.scores = np.where(done[:, None], self.scores.dtype.type(-np.inf), self.scores)
        if self._coverage is not None:
            self._coverage.follow(decision.rows)

    def _take_ended(self, decision: Decision, rows: list[int], met: BoolArray | None) -> None:
        """Hypotheses that took END."""
        end_scores = decision.ended_token_scores.tolist()
        ends = None if decision.ended_tokens is None else decision.ended_tokens.tolist()
        self._add(rows, decision.ended_scores.tolist(), end_scores, met, ends)

    def _take_cut(self, places: list[int], ended: set[int], met: BoolArray | None) -> None:
        """Hypotheses, as they were before this step, of lanes that go no further."""
        width = self.scores.shape[1]
        scores = self.scores.ravel().tolist()
        free_end = self._options.forced_end
        rows = [
            row
            for place in places
            for row in range(place * width, place * width + self._most_cut(self.lanes[place]))
            if row not in ended and scores[row] > -np.inf
        ]
        ends = [0.0] * len(rows) if free_end else None
        self._add(rows, [scores[row] for row in rows], ends, met)

    def _most_cut(self, lane: Lane) -> int:
        width: int = self.scores.shape[1]
        return lane.room if self._like_generate and not self._options.forced_end else width

    def _add(
        self,
        rows: list[int],
        log_probabilities: list[float],
        end_scores: list[float] | None,
        met: BoolArray | None,
        ends: list[int] | None = None,
    ) -> None:
        """Outputs that were ``rows``, finished (by ``ends``; None: END) where ``end_scores`` are
        there, otherwise cut.
        """
        width, steps = self.scores.shape[1], len(self.history)
        scored = self.length + (end_scores is not None)
        penalties = [0.0] * len(rows)
        if self._coverage is not None:
            penalties = self._coverage.penalties(rows, before=end_scores is None)
        for place, (row, log_probability) in enumerate(zip(rows, log_probabilities, strict=True)):
            score = normalize(log_probability, scored, self._options) + penalties[place]
            end_score = None if end_scores is None else end_scores[place]
            holds = met is None or bool(met[row])
            behind = end_score is None and not self._like_generate
            end = END if ends is None else ends[place]
            output = LaneOutput(score, log_probability, steps, row, end_score, holds, behind, end)
            self.lanes[row // width].add(output, width)

    def _drop(self) -> IntArray | None:
        """Let go of sentences whose lanes are all done; the places of the others, if some went."""
        groups, before = self._groups, self.lanes
        stay = [
            first // groups
            for first in range(0, len(before), groups)
            if not all(lane.done for lane in before[first : first + groups])
        ]
        if len(stay) * groups == len(before):
            return None
        self.lanes = [
            lane for place in stay for lane in before[place * groups : (place + 1) * groups]
        ]
        return np.array(stay, dtype=np.int64)
