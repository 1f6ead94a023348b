"""What comparisons with peers have in common: rounds in turn, threads, where results go."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

__all__ = ["add_arguments", "pause"]

_PAUSE = 0.25  # seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Threads, rounds, ``--quick``, and files for the results."""
    both = {1, len(os.sched_getaffinity(0))}
    parser.add_argument("--threads", nargs="+", type=int, default=sorted(both))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="at most 5 minutes")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)


def pause() -> None:
    """Between two systems: the threads of some libraries go on spinning for a while."""
    time.sleep(_PAUSE)
