"""Records that have no answer, named on standard error."""

from __future__ import annotations

import sys
from typing import Protocol

from transduce.errors import DataError

__all__ = ["NAMED", "Refused", "error_line", "not_all_answered", "say_error"]

NAMED = 20  # records without an answer that are named one by one


class Answerable(Protocol):
    """An output, which may say why there is none."""

    @property
    def error(self) -> str:
        """Empty where there is an answer."""
        ...


class Refused:
    """The records without an answer, named on standard error.

    A single one is the command's own error, said at its end (a person at a terminal is told at
    once).
    """

    def __init__(self, *, at_once: bool) -> None:
        self._asked = self._refused = 0
        self._waiting: str | None = None
        self._at_once = at_once

    def note(self, output: Answerable) -> None:
        """Take in the first output of each record."""
        self._asked += 1
        if not output.error:
            return
        self._refused += 1
        if self._refused == 1 and not self._at_once:
            self._waiting = output.error
            return
        if self._waiting is not None:
            say_error(self._waiting)
            self._waiting = None
        if self._refused <= NAMED:
            say_error(output.error)

    def finish(self, failure: DataError | None) -> None:
        """Raise DataError where not all that was asked for is answered."""
        if failure is not None and self._waiting is not None:
            say_error(self._waiting)
        if failure is not None:
            raise failure
        if self._waiting is not None:
            raise DataError(self._waiting)
        if self._refused:
            raise not_all_answered(self._refused, self._asked)


def not_all_answered(refused: int, asked: int) -> DataError:
    """What is raised at the end where some of the records have no answer."""
    return DataError(
        f"all records must be answerable; got {refused:,} of {asked:,} that are not, each with an "
        "empty answer"
    )


def say_error(error: str) -> None:
    """One line on standard error, behind the answers so far."""
    sys.stdout.flush()
    print(error_line(error), file=sys.stderr)


def error_line(error: str) -> str:
    """An error of one record as one line."""
    return f"transduce: {' '.join(error.splitlines())}"
