"""One system in a process of its own, and the other end of the pipe to it.

Each system starts with the threads it is allowed, is alone in its memory, and sleeps
while another is measured. Requests and replies are JSON, one a line.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.machine import peak_memory
from benchmarks.process import JsonProcess

__all__ = ["Reply", "Request", "Worker"]


class System(Protocol):
    """Any of the systems compared."""

    def decode(
        self, sources: Sequence[Sequence[int]], beam: int, min_length: int, max_length: int
    ) -> list[list[int]]:
        """The best output of each source, token lists without END on both sides."""
        ...


@dataclass(frozen=True)
class Request:
    """Batches to decode one after another, each timed."""

    batches: list[list[list[int]]]
    beam: int
    min_length: int
    max_length: int


@dataclass(frozen=True)
class Reply:
    """Seconds of each batch, all outputs in order, the process's peak memory in MB."""

    seconds: list[float]
    outputs: list[list[int]]
    memory: float

    @property
    def rate(self) -> float:
        """Output tokens a second."""
        return sum(map(len, self.outputs)) / sum(self.seconds)


class Worker:
    """A process that holds one system; a context manager that ends it.

    ``start_up`` is the time in seconds from its start to its first reply.
    """

    def __init__(self, system: str, case: Path, threads: int, first: Request) -> None:
        started = time.perf_counter()
        command = [sys.executable, "-m", "benchmarks.decode_worker", system, str(case)]
        self._process = JsonProcess(system, command, threads)
        self.system = system
        self.memory = self.ask(first).memory
        self.start_up = time.perf_counter() - started

    def ask(self, request: Request) -> Reply:
        """Send, wait, receive. Raises RuntimeError where the process has died."""
        return Reply(**self._process.ask(vars(request)))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.end()


def _open(system: str, case: Path) -> System:
    """Import and load what ``system`` names, and nothing else."""
    family, _, kind = system.partition(" ")
    if family == "ours":
        from benchmarks.decode_ours import Ours

        return Ours(case, kind)
    if family == "ctranslate2":
        from benchmarks.peers_ctranslate2 import CTranslate2

        return CTranslate2(case / family, kind)
    if family == "huggingface":
        from benchmarks.peers_huggingface import HuggingFace

        return HuggingFace(case / family, kind)
    raise ValueError(f"system must be ours, ctranslate2 or huggingface; got {system!r}")


def main() -> None:
    """Answer requests until there are no more."""
    # Libraries may print; what they print must not come between the replies.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    system = _open(sys.argv[1], Path(sys.argv[2]))
    for line in sys.stdin:
        request = Request(**json.loads(line))
        seconds, outputs = [], []
        for batch in request.batches:
            started = time.perf_counter()
            found = system.decode(batch, request.beam, request.min_length, request.max_length)
            seconds.append(time.perf_counter() - started)
            outputs += found
        print(json.dumps(vars(Reply(seconds, outputs, peak_memory()))), file=channel, flush=True)


if __name__ == "__main__":
    main()
