"""What each lane of a search has finished, and when it has enough."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field

from transduce.config import SearchConfig
from transduce.interfaces import END
from transduce.search.rules.lengths import length_penalty, normalize

__all__ = ["Lane", "LaneOutput"]


@dataclass(frozen=True, slots=True)
class LaneOutput:
    """A hypothesis that goes no further.

    It was hypothesis ``row`` after ``steps`` entries of the history; ``end_score`` is the
    log-probability of END where it ``finished``, otherwise None.
    """

    score: float
    log_probability: float
    steps: int
    row: int
    end_score: float | None
    met: bool
    behind: bool = False  # ranked after all that took END
    end: int = END  # the token that ended it, where it finished

    @property
    def finished(self) -> bool:
        """Whether it took END; otherwise it was cut."""
        return self.end_score is not None

    @property
    def order(self) -> tuple[bool, bool, float]:
        """Best first: all phrases before one missing, finished before cut, then by score."""
        return not self.met, self.behind, -self.score


@dataclass(slots=True)
class Lane:
    """A lane's limits (tokens, END not counted) and its at most W outputs, best first.

    ``count``: how many ever came in finished and with all phrases.
    """

    sentence: int
    minimum: int
    maximum: int
    done: bool = False
    count: int = 0
    room: int = 0  # stopping like generate: places of the last step that END left to others
    outputs: list[LaneOutput] = field(default_factory=list)

    def add(self, output: LaneOutput, width: int) -> None:
        """Take in an output, after older ones that are as good."""
        insort(self.outputs, output, key=lambda o: o.order)
        del self.outputs[width:]
        self.count += output.finished and output.met

    def enough(
        self, best: float, length: int, width: int, options: SearchConfig, *, phrases: bool
    ) -> bool:
        """Whether the lane may close: whether its n-th best output is out of reach of the open
        hypotheses, of which the best has log-probability ``best`` after ``length`` tokens.

        Once W outputs are there, it is out of reach of what is less probable already, which could
        win by its length alone, and of what would score less if it ended now for nothing. Without
        that a beam closes on W outputs that ended far too early, each next to a continuation
        that was hundreds of times more probable. Earlier, it must be out of reach whatever the
        continuation. With required ``phrases`` W outputs are enough: the open hypotheses may
        never hold them.
        """
        if self.count >= width and (width == 1 or phrases):
            return True
        if options.stopping != "bound":
            return len(self.outputs) >= width and self._generate_stops(best, length, options)
        needed = min(options.nbest, width)
        if width == 1 or len(self.outputs) < needed:
            return False
        last = self.outputs[needed - 1]
        if self.count >= width:
            fallen_behind = last.log_probability >= best
            return fallen_behind or last.score >= normalize(best, length + 1, options)
        # A beam that goes on only ever adds hypotheses; none can pass this bound. (Not where
        # groups watch each other: there an open hypothesis still changes the next group.)
        if options.diverse_groups > 1 or not (last.met and last.finished):
            return False
        # A continuation never gains probability, its length penalty is at most that of the
        # longest output with END, and the coverage penalty is never above zero.
        return last.score >= normalize(best, self.maximum + 1, options)

    def _generate_stops(self, best: float, length: int, options: SearchConfig) -> bool:
        """Whether ``generate`` of transformers would stop with these W outputs."""
        if options.stopping == "generate-early":
            return True
        longer_is_dearer = length_penalty(2, options) > length_penalty(1, options)
        if options.stopping == "generate-never" and longer_is_dearer:
            length = self.maximum + options.forced_end
        return normalize(best, length, options) <= self.outputs[-1].score
