"""Threads that work off a line of jobs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

__all__ = ["Team", "torch_threads"]

Job = Callable[[], None]


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Within the block torch shares this thread's operations among so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Team:
    """Threads that take jobs from one line, whoever is free first; the caller is one of them.

    Who waits sleeps: processors are left to who has work.
    """

    def __init__(self) -> None:
        self._helpers: ThreadPoolExecutor | None = None
        self._count = 0  # of helpers

    def run(self, jobs: Sequence[Job], threads: int) -> None:
        """All jobs, by so many threads; those that are left over share a job's operations.

        The first error ends the run and is raised here: jobs under way are waited for, others are
        not begun.
        """
        workers = max(1, min(threads, len(jobs)))
        line = deque(jobs)

        def work() -> None:
            try:
                with torch_threads(max(1, threads // workers)):
                    while line:
                        _next(line)()
            except BaseException:
                line.clear()
                raise

        helpers = [self._executor(workers - 1).submit(work) for _ in range(workers - 1)]
        errors: list[BaseException | None] = []
        try:
            work()
        finally:
            # Whatever happened here, nobody stays at work on what others think is at rest.
            errors = [helper.exception() for helper in helpers]
        for error in errors:
            if error is not None:
                raise error

    def close(self) -> None:
        """Dismiss the threads."""
        if self._helpers is not None:
            self._helpers.shutdown()
        self._helpers, self._count = None, 0

    def _executor(self, count: int) -> ThreadPoolExecutor:
        if self._helpers is None or count > self._count:
            self.close()
            # torch forgets the weights that it has cast to bfloat16 when a thread leaves its last
            # autocast; threads that never leave take them from nobody.
            self._helpers = ThreadPoolExecutor(
                count, "chunks", initializer=torch.autocast_increment_nesting
            )
            self._count = count
        return self._helpers


def _next(line: deque[Job]) -> Job:
    try:
        return line.popleft()
    except IndexError:  # somebody was faster
        return lambda: None
