"""The figures of the decoding benchmark: medians and ratios, as a table, JSON and a plot."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.decode_worker import Reply
from transduce.drawing.figures import save
from transduce.drawing.point_chart import Point, PointPanel, PointRow, points_figure
from transduce.files import replacing

__all__ = ["HEADER", "Row", "Spread", "StartUp", "draw", "line", "summarize", "write_json"]

HEADER = (
    "| case | threads | beam | sentences | system | tokens/s | ours is × faster (min-max) "
    "| p50 ms | p99 ms | same outputs |\n|---|---:|---:|---:|---|---:|---:|---:|---:|---:|"
)


@dataclass(frozen=True)
class Spread:
    """The middle and the ends of what the rounds gave."""

    median: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Row:
    """One system in one setting.

    ``rate`` is in output tokens a second; ``speedup`` is our rate over this one, round by
    round; ``p50`` and ``p99`` are seconds of one batch; ``same`` is the share of outputs
    that the system of reference gave too.
    """

    case: str
    threads: int
    beam: int
    sentences: int
    system: str
    rate: Spread
    speedup: Spread
    p50: float
    p99: float
    same: float


@dataclass(frozen=True)
class StartUp:
    """Seconds from nothing to the first output, and memory in MB at its peak.

    ``memory`` is that of a process that has written one output, ``busy_memory`` that of
    one that has done all the batches of the benchmark.
    """

    case: str
    system: str
    seconds: Spread
    memory: float
    busy_memory: float


def summarize(
    case: str, threads: int, beam: int, sentences: int, rounds: Mapping[str, list[Reply]]
) -> list[Row]:
    """One row a system; the first system is ours, CTranslate2 in float32 is the reference."""
    ours = next(iter(rounds.values()))
    reference = rounds.get("ctranslate2 float32", ours)[0].outputs
    rows = []
    for system, replies in rounds.items():
        seconds = sorted(s for reply in replies for s in reply.seconds)
        outputs = replies[0].outputs
        rows.append(
            Row(
                case,
                threads,
                beam,
                sentences,
                system,
                Spread.of([reply.rate for reply in replies]),
                Spread.of([a.rate / b.rate for a, b in zip(ours, replies, strict=True)]),
                statistics.median(seconds),
                seconds[round(0.99 * (len(seconds) - 1))],
                sum(a == b for a, b in zip(outputs, reference, strict=True)) / len(outputs),
            )
        )
    return rows


def line(row: Row) -> str:
    """A row of the Markdown table."""
    speedup = row.speedup
    return (
        f"| {row.case} | {row.threads} | {row.beam} | {row.sentences} | {row.system} "
        f"| {row.rate.median:,.0f} "
        f"| {speedup.median:.2f} ({speedup.minimum:.2f}-{speedup.maximum:.2f}) "
        f"| {1000 * row.p50:,.1f} | {1000 * row.p99:,.1f} | {100 * row.same:.0f} % |"
    )


def write_json(
    path: Path,
    machine: Mapping[str, str],
    rows: Sequence[Row],
    start_ups: Sequence[StartUp],
    quality: Sequence[Mapping[str, object]],
) -> None:
    """All figures in one file."""
    values = {
        "machine": dict(machine),
        "decoding": [asdict(row) for row in rows],
        "start_up": [asdict(start) for start in start_ups],
        "quality": [dict(entry) for entry in quality],
    }
    with replacing(path) as aside:
        aside.write_text(json.dumps(values, indent=1), encoding="utf-8")


def draw(path: Path, rows: Sequence[Row], machine: Mapping[str, str]) -> None:
    """Tokens a second of all systems with the most threads: one panel a case, PNG."""
    threads = max(row.threads for row in rows)
    shown = [row for row in rows if row.threads == threads]
    panels = []
    for case in dict.fromkeys(row.case for row in shown):
        settings: dict[str, list[Point]] = {}
        for row in shown:
            if row.case == case:
                rate = row.rate
                point = Point(row.system, rate.median, rate.minimum, rate.maximum)
                settings.setdefault(_setting(row), []).append(point)
        found = [PointRow(setting, points) for setting, points in settings.items()]
        panels.append(PointPanel(case, "tokens a second (further right is faster)", found))
    cores = "1 thread" if threads == 1 else f"{threads} threads"
    note = f"{cores} of {machine['processor']}, {machine['features']}"
    save(points_figure(panels, title="Decoding speed", note=note), path)


def _setting(row: Row) -> str:
    beam = "greedy" if row.beam == 1 else f"beam {row.beam}"
    return f"{beam}, {row.sentences} {'sentence' if row.sentences == 1 else 'sentences'}"
