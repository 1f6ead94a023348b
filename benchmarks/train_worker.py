"""One training system in a process of its own interpreter, and the pipe to it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.process import JsonProcess
from benchmarks.train_protocol import Ready, Reply, Request

__all__ = ["System", "Worker"]


@dataclass(frozen=True)
class System:
    """``module`` is run by ``interpreter``, with ``variant`` as what it is to do."""

    name: str
    interpreter: str
    module: str
    variant: str = ""


class Worker:
    """A process that trains on request; a context manager that ends it."""

    def __init__(self, system: System, case: Path, threads: int) -> None:
        self.system = system
        command = [system.interpreter, "-m", system.module, str(case), system.variant]
        log = case.with_name(f"{system.module} {system.variant}.log")
        self._process = JsonProcess(system.name, command, threads, log)
        self.ready = Ready(**self._process.receive())

    def ask(self, request: Request) -> Reply:
        """Send, wait, receive. Raises RuntimeError where the process has died."""
        return Reply(**self._process.ask(asdict(request)))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.end()
