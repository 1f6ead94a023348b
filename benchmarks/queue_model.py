"""What the queue of a server makes of requests that come at random, without a server.

    python -m benchmarks.queue_model --rate 1680 --fixed 0.5 --each 0.74 --processes 2 --pack 0 8 4

Requests come as a Poisson process. A process that is free takes all that wait, or at most --pack of
them (0: all), needs --fixed ms for the pack and --each ms for each of its requests, and answers
them together. Printed are the times from a request's coming to its answer: docs/serve.md.
"""

from __future__ import annotations

import argparse
import heapq
import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["main", "waits"]


def waits(
    arrivals: NDArray[np.float64], fixed: float, each: float, processes: int, pack: int = 0
) -> NDArray[np.float64]:
    """How long each request takes, in the units of ``arrivals`` [N], which must not fall.

    >>> waits(np.array([0.0, 1.0, 2.0]), 3.0, 1.0, 1)
    array([4., 8., 7.])
    """
    free = [0.0] * processes  # when each process is, the earliest first
    taken = np.empty_like(arrivals)
    limit = pack or len(arrivals)
    first = 0
    while first < len(arrivals):
        begin = max(heapq.heappop(free), float(arrivals[first]))
        waiting = int(np.searchsorted(arrivals, begin, side="right")) - first
        count = min(waiting, limit)
        end = begin + fixed + each * count
        taken[first : first + count] = end - arrivals[first : first + count]
        heapq.heappush(free, end)
        first += count
    return taken


def main() -> None:
    """Read the command line and print a line for each size of a pack."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.queue_model",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--rate", type=float, required=True, help="requests a second")
    add("--fixed", type=float, required=True, help="ms for a pack")
    add("--each", type=float, required=True, help="ms for a request of it")
    add("--processes", type=int, default=1, help="(1)")
    add("--pack", type=int, nargs="+", default=[0], help="requests a pack has at most; 0: all (0)")
    add("--requests", type=int, default=200_000, help="(200,000)")
    add("--seed", type=int, default=1, help="(1)")
    options = parser.parse_args()
    gaps = np.random.default_rng(options.seed).exponential(1000 / options.rate, options.requests)
    for pack in options.pack:
        taken = waits(np.cumsum(gaps), options.fixed, options.each, options.processes, pack)
        median, late = (float(value) for value in np.percentile(taken, [50, 99]))
        capacity = 1000 * options.processes / (options.fixed / (pack or math.inf) + options.each)
        print(
            f"packs of {pack or 'all':>3}: median {median:.1f} ms, 99 of 100 {late:.1f} ms, "
            f"{late / median:.1f} times; at most {capacity:,.0f} requests a second"
        )


if __name__ == "__main__":
    main()
