"""What is wrong with the data: stop at the first bad record, or skip, count and report.

Readers give records ``(number, row)`` in order, a BadRecordError in the place of a row that
cannot be used. :func:`noted` sends these to ``Problems``; prediction answers for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from transduce.errors import DataError

__all__ = ["BadFileError", "BadRecordError", "Problems", "noted"]

Row = TypeVar("Row")


class BadRecordError(Exception):
    """One record cannot be used. ``count`` is how many lines are lost with it."""

    def __init__(self, reason: str, message: str, *, count: int = 1) -> None:
        super().__init__(message)
        self.reason = reason
        self.count = count


class BadFileError(Exception):
    """A file, or the rest of it, cannot be read."""

    def __init__(
        self, reason: str, message: str, file: str | Path, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.file = file
        self.line = line


class Problems:
    """Bad records and files met while reading.

    With ``on_error="stop"`` the first one raises DataError. With ``"skip"`` each
    is counted under its reason and the first few are kept as examples.
    """

    def __init__(self, on_error: Literal["stop", "skip"] = "stop", *, examples: int = 3) -> None:
        self.on_error = on_error
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self._examples_kept = examples

    @property
    def total(self) -> int:
        """Records skipped, all reasons together; a file that cannot be read counts as one."""
        return self.counts.total()

    def add(
        self,
        reason: str,
        message: str,
        file: str | Path,
        line: int | None = None,
        *,
        count: int = 1,
    ) -> None:
        """Note ``count`` bad records; raise DataError where the policy is to stop."""
        error = DataError(message, file=file, line=line)
        if self.on_error == "stop":
            raise error
        self.counts[reason] += count
        kept = self.examples.setdefault(reason, [])
        if len(kept) < self._examples_kept:
            kept.append(str(error))

    def add_file(self, problem: BadFileError) -> None:
        """Note a file that cannot be read (on); raise DataError where the policy is to stop."""
        self.add(problem.reason, str(problem), problem.file, problem.line)

    def report(self) -> dict[str, Any]:
        """Plain values for the log and the report: total, counts by reason, examples."""
        return {
            "skipped": self.total,
            "reasons": dict(self.counts.most_common()),
            "examples": {reason: list(self.examples[reason]) for reason in self.counts},
        }

    def summary(self) -> str:
        """One line, such as ``3 skipped (2 empty target, 1 bad JSON)``."""
        if not self.total:
            return "none skipped"
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.counts.most_common())
        return f"{self.total:,} skipped ({reasons})"


def noted(
    rows: Iterable[tuple[int, Row | BadRecordError]], name: str | Path, problems: Problems
) -> Iterator[tuple[int, Row]]:
    """The good rows; the others go to ``problems``, which raises DataError or counts them."""
    for number, row in rows:
        if isinstance(row, BadRecordError):
            problems.add(row.reason, str(row), name, number, count=row.count)
        else:
            yield number, row
