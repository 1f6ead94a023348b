"""How far a corpus is: a line now and then, and what is to be said at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from transduce.commands.in_blocks.block_folder import FinishedBlock
from transduce.commands.in_blocks.block_worker import AnsweredBlock
from transduce.commands.predicting.refused import NAMED, error_line, not_all_answered

__all__ = ["CorpusProgress"]

_OFTEN = 10.0  # seconds between two lines


class CorpusProgress:
    """``say`` takes lines; ``records`` are all, of which ``before`` were finished before."""

    def __init__(self, records: int, before: int, say: Callable[[str], None]) -> None:
        self._records, self._before, self._done = records, before, before
        self._say = say
        self._named = 0
        self._spoke: float | None = None
        self._began = 0.0
        self._first = before  # records that were done when the clock began

    def note(self, answered: AnsweredBlock) -> None:
        """Take in a block. The clock begins with the first, as workers take time to start."""
        now = time.monotonic()
        self._done += answered.block.records
        for error in answered.errors[: max(0, NAMED - self._named)]:
            self._named += 1
            self._say(error_line(error))
        if self._spoke is None:
            self._spoke, self._began, self._first = now, now, self._done
        elif now - self._spoke > _OFTEN:
            self._spoke = now
            rate = (self._done - self._first) / (now - self._began)
            left = (self._records - self._done) / rate
            self._say(
                f"  {self._done:,} of {self._records:,} records, {rate:,.0f} a second, "
                f"{_duration(left)} left"
            )

    def finish(self, finished: Mapping[int, FinishedBlock], least: float | None) -> None:
        """Say what was left out. Raises DataError where not every record is answered."""
        withheld = sum(block.withheld for block in finished.values())
        refused = sum(block.refused for block in finished.values())
        if least is not None:
            self._say(
                f"{withheld:,} of {self._records:,} records are less sure than {least:g} and left "
                "empty"
            )
        if refused:
            raise not_all_answered(refused, self._records)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
