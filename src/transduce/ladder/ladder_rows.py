"""A measured ladder, as a table and as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transduce.evaluation.compare import Comparison, Estimate
from transduce.evaluation.tables import number, render_table
from transduce.metrics.known import METRICS, best_known

__all__ = ["Ladder", "LadderRow"]


@dataclass(frozen=True)
class LadderRow:
    """One rung: bytes on the disk, megabytes in memory after the first output and at most until
    then, seconds to it from the start of the process, output tokens a second by how many sources
    are answered together.
    """

    name: str
    directory_bytes: int
    weight_bytes: int
    resident: float
    most: float
    start_up: float
    tokens_per_second: dict[int, float]


@dataclass(frozen=True)
class Ladder:
    """All rungs, measured with so many ``threads`` and scored on the same sentences; ``left_out``
    says why a rung is not there.
    """

    rows: tuple[LadderRow, ...]
    comparison: Comparison
    threads: int
    rounds: int
    left_out: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        """The score of the table: the one that published tables quote first."""
        return best_known(self.comparison.metrics) or self.comparison.metrics[0]

    @property
    def said_threads(self) -> str:
        """``2 threads``."""
        return "1 thread" if self.threads == 1 else f"{self.threads} threads"

    def estimate(self, row: LadderRow) -> Estimate:
        """The score of a rung."""
        return self.comparison.rows[self.rows.index(row)].scores[self.metric]

    def table(self) -> str:
        """For the terminal: a line a rung."""
        sizes = list(self.rows[0].tokens_per_second)
        better = "↓" if METRICS[self.metric].lower_is_better else "↑"
        columns = [
            "rung", "MB", "weights", "memory", "start s", *(f"tok/s {n}" for n in sizes),
            f"{self.metric} {better}", "interval", "difference", "p",
        ]  # fmt: skip
        rows = [self._line(row) for row in self.rows]
        title = f"{self.comparison.sentences:,} sentences, {self.said_threads}"
        notes = "".join(f"no rung: {reason}\n" for reason in self.left_out)
        return render_table(title, columns, rows) + (
            "MB: all files that a model is read from; memory: resident MB after the first output, "
            f"and start s the\nseconds to it, both with Python and its libraries; tok/s: output "
            f"tokens a second, the median of {self.rounds} rounds;\ndifference and p: against "
            f"{self.rows[0].name}, paired bootstrap\n{notes}"
        )

    def _line(self, row: LadderRow) -> list[str]:
        found = self.estimate(row)
        against = found.against_first
        return [
            row.name,
            f"{row.directory_bytes / 1e6:.2f}",
            f"{row.weight_bytes / 1e6:.2f}",
            f"{row.resident:,.0f}",
            f"{row.start_up:.2f}",
            *(f"{rate:,.0f}" for rate in row.tokens_per_second.values()),
            number(found.score),
            f"{number(found.low)} to {number(found.high)}",
            "" if against is None else f"{against.difference:+.2f}",
            "" if against is None else f"{against.p_value:.3f}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        rungs = [
            {
                "name": row.name,
                "directory_bytes": row.directory_bytes,
                "weight_bytes": row.weight_bytes,
                "resident_megabytes": row.resident,
                "most_megabytes": row.most,
                "start_up_seconds": row.start_up,
                "tokens_per_second": {str(n): rate for n, rate in row.tokens_per_second.items()},
            }
            for row in self.rows
        ]
        return {
            "rungs": rungs,
            "threads": self.threads,
            "rounds": self.rounds,
            "left_out": list(self.left_out),
            "comparison": self.comparison.to_dict(),
        }
