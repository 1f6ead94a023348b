"""The figures of the decoding benchmark: medians and ratios, as a table, JSON and a plot."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.decode_worker import Reply
from transduce.drawing import figures
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
    cases, systems = (list(dict.fromkeys(names)) for names in _names(shown))
    drawn = figures.figure(9, 3.2 * len(cases))
    panels = drawn.subplots(len(cases), 1, squeeze=False)
    for axes, case in zip(panels[:, 0], cases, strict=True):
        found = {
            (row.beam, row.sentences, row.system): row.rate for row in shown if row.case == case
        }
        settings = list(dict.fromkeys((beam, sentences) for beam, sentences, _ in found))
        width = 0.8 / len(systems)
        for number, system in enumerate(systems):
            # a system may lack a case
            rates = [found.get((*setting, system), Spread(0, 0, 0)) for setting in settings]
            axes.bar(
                [place + (number - (len(systems) - 1) / 2) * width for place in range(len(rates))],
                [rate.median for rate in rates],
                width,
                yerr=[
                    [rate.median - rate.minimum for rate in rates],
                    [rate.maximum - rate.median for rate in rates],
                ],
                error_kw={"linewidth": 0.8},
                label=system,
            )
        axes.set_xticks(
            range(len(settings)), [f"beam {beam}\n{many} at once" for beam, many in settings]
        )
        axes.set_yscale("log")
        axes.set_ylabel("tokens a second")
        axes.set_title(case, loc="left")
        axes.grid(axis="y", alpha=0.3)
    bars, names = panels[0, 0].get_legend_handles_labels()
    drawn.legend(bars, names, loc="outside upper center", ncols=len(systems), fontsize="small")
    cores = "1 thread" if threads == 1 else f"{threads} threads"
    drawn.supxlabel(f"{cores} of {machine['processor']}, {machine['features']}", fontsize="small")
    figures.save(drawn, path)


def _names(rows: Sequence[Row]) -> tuple[list[str], list[str]]:
    return [row.case for row in rows], [row.system for row in rows]
