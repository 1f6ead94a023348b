"""What comparisons with peers have in common: rounds in turn, threads, where results go."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

__all__ = ["Asked", "add_arguments", "in_turn", "pause"]

RequestT = TypeVar("RequestT", contravariant=True)
ReplyT = TypeVar("ReplyT", covariant=True)

_PAUSE = 0.25  # seconds


class Asked(Protocol[RequestT, ReplyT]):
    """One of the systems compared, in a process of its own."""

    system: str

    def ask(self, request: RequestT) -> ReplyT:
        """Send, wait, receive."""
        ...


def in_turn(
    workers: Sequence[Asked[RequestT, ReplyT]], request: RequestT, rounds: int
) -> dict[str, list[ReplyT]]:
    """Each worker's replies; a first one, in which caches fill and kernels are made, is dropped."""
    replies: dict[str, list[ReplyT]] = {worker.system: [] for worker in workers}
    for _ in range(rounds + 1):
        for worker in workers:
            pause()
            replies[worker.system].append(worker.ask(request))
    return {system: found[1:] for system, found in replies.items()}


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
