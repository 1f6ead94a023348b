"""The figures of the training benchmark: medians and ratios, as a table, JSON and a plot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.decode_results import Spread
from benchmarks.train_protocol import Ready
from transduce.drawing.figures import save
from transduce.drawing.point_chart import Point, PointPanel, PointRow, points_figure
from transduce.files import replacing

__all__ = ["HEADER", "Leg", "Row", "draw", "line", "summarize", "write_json"]

HEADER = (
    "| case | threads | system | precision | a second | ours is × faster (min-max) | rounds "
    "| loss | parameters | MB |\n|---|---:|---|---|---:|---:|---:|---:|---:|---:|"
)


@dataclass(frozen=True)
class Leg:
    """One burst of steps: rate in target tokens or words a second, mean loss in nats a token."""

    rate: float
    loss: float
    memory: float


@dataclass(frozen=True)
class Row:
    """One system in one case.

    ``speedup`` is our rate right before over this one, round by round (None for ours);
    ``losses`` are the means of the warm-up and of each round.
    """

    case: str
    unit: str
    threads: int
    system: str
    ready: Ready
    rates: list[float]
    rate: Spread
    speedups: list[float]
    speedup: Spread | None
    losses: list[float]
    memory: float


def summarize(
    case: str,
    unit: str,
    threads: int,
    system: str,
    ready: Ready,
    warm: Leg,
    legs: Sequence[Leg],
    ours: Sequence[Leg] | None,
) -> Row:
    """All rounds of one system; ``ours`` are our legs right before its own."""
    rates = [leg.rate for leg in legs]
    speedups = [a.rate / b.rate for a, b in zip(ours, legs, strict=True)] if ours else []
    return Row(
        case,
        unit,
        threads,
        system,
        ready,
        rates,
        Spread.of(rates),
        speedups,
        Spread.of(speedups) if speedups else None,
        [warm.loss, *(leg.loss for leg in legs)],
        legs[-1].memory,
    )


def line(row: Row) -> str:
    """A row of the Markdown table."""
    speedup = row.speedup
    ratio = "" if speedup is None else _ratio(speedup)
    return (
        f"| {row.case} | {row.threads} | {row.system} | {row.ready.precision} "
        f"| {row.rate.median:,.0f} {row.unit} | {ratio} | {len(row.speedups) or ''} "
        f"| {row.losses[0]:.2f} → {row.losses[-1]:.2f} | {row.ready.parameters:,} "
        f"| {row.memory:,.0f} |"
    )


def _ratio(speedup: Spread) -> str:
    return f"{speedup.median:.2f} ({speedup.minimum:.2f}-{speedup.maximum:.2f})"


def write_json(
    path: Path,
    machine: Mapping[str, str],
    rows: Sequence[Row],
    left_out: Mapping[str, str],
) -> None:
    """All figures in one file."""
    values = {
        "machine": dict(machine),
        "left_out": dict(left_out),
        "training": [asdict(row) for row in rows],
    }
    with replacing(path) as aside:
        aside.write_text(json.dumps(values, indent=1), encoding="utf-8")


def draw(path: Path, rows: Sequence[Row], machine: Mapping[str, str]) -> None:
    """Rates of all systems, one panel a case, PNG."""
    panels = []
    for case in dict.fromkeys(row.case for row in rows):
        shown = [row for row in rows if row.case == case]
        found = [
            PointRow(
                f"{row.system}, {_threads(row.threads)}",
                [Point(row.system, row.rate.median, row.rate.minimum, row.rate.maximum)],
                _remark(row),
            )
            for row in shown
        ]
        panels.append(
            PointPanel(case, f"{shown[0].unit} a second (further right is faster)", found)
        )
    note = f"training on {machine['processor']}, {machine['features']}"
    save(points_figure(panels, title="Training speed", note=note), path)


def _remark(row: Row) -> str:
    ratio = "" if row.speedup is None else f" (ours × {row.speedup.median:.1f})"
    return f"{row.rate.median:,.0f}{ratio}"


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"
