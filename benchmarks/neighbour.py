"""One thread and all of them, on a quiet machine and beside a busy program.

    python -m benchmarks.neighbour recipes/cmudict.yaml data.train=train.tsv data.dev=dev.tsv
    python -m benchmarks.neighbour recipes/translate-en-de.yaml \
        data.train='{source: a.en, target: a.de}' data.dev='{source: b.en, target: b.de}'

Training in target tokens a second, prediction (of a model that has hardly learnt: it is the
ratio that counts) in sentences a second. One process has one thread, the other as many as there are
processors, as is the default; they take turns. The neighbour keeps one processor busy; it ends by
itself after a bounded time, whatever becomes of this program. Training takes the first seconds to
find its way (runs limited by minutes do so every 20 seconds), so turns of it are longer.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.process import JsonProcess
from benchmarks.side_by_side import pause

__all__ = ["main"]

_BUSY = """
import sys, time
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    for _ in range(100_000):
        pass
"""
_UNITS = {"train": "tokens/s", "predict": "sentences/s"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    parser.add_argument("--tasks", nargs="+", choices=_UNITS, default=list(_UNITS))
    options = parser.parse_args()
    counts = {"one": 1, "default": len(os.sched_getaffinity(0))}
    command = [sys.executable, "-m", "benchmarks.neighbour_worker", options.recipe]
    workers = {
        name: JsonProcess(name, [*command, *options.overrides], threads)
        for name, threads in counts.items()
    }
    try:
        for worker in workers.values():
            worker.receive()
        print(f"{'':10} {'':10} {'1 thread':>10} {counts['default']:>3} threads   ratio")
        for task in options.tasks:
            _measure(workers, task, options.rounds, options.seconds, busy=False)
            longest = (options.rounds + 1) * len(workers) * (2 * options.seconds + 5)
            with _neighbour(longest):
                _measure(workers, task, options.rounds, options.seconds, busy=True)
    finally:
        for worker in workers.values():
            worker.end()


def _measure(
    workers: dict[str, JsonProcess], task: str, rounds: int, seconds: float, *, busy: bool
) -> None:
    paces: dict[str, list[float]] = {name: [] for name in workers}
    for turn in range(rounds + 1):
        for name in list(workers)[:: 1 if turn % 2 else -1]:
            pause()
            answer = workers[name].ask({"task": task, "seconds": seconds})
            if turn:  # in the first caches fill, and a way is found
                paces[name].append(answer["pace"])
    ratios = sorted(b / a for a, b in zip(paces["one"], paces["default"], strict=True))
    one, all_ = (statistics.median(paces[name]) for name in ("one", "default"))
    print(
        f"{task:10} {'neighbour' if busy else 'quiet':10} {one:10,.0f} {all_:11,.0f} "
        f"{statistics.median(ratios):7.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f}) {_UNITS[task]}",
        flush=True,
    )


@contextmanager
def _neighbour(seconds: float) -> Iterator[None]:
    """A program that keeps one processor busy, for so many seconds at most."""
    busy = subprocess.Popen([sys.executable, "-c", _BUSY, str(seconds)])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


if __name__ == "__main__":
    main()
