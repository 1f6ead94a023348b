"""One training system in a process of its own interpreter, and the pipe to it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import capped_environment
from benchmarks.train_protocol import Ready, Reply, Request

__all__ = ["System", "Worker"]

ROOT = Path(__file__).parent.parent
_SHOWN = 2000  # characters of what a worker said before it died


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
        environment = capped_environment(os.environ)
        environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        self.system = system
        self._said = case.with_name(f"{system.module} {system.variant}.log")
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [system.interpreter, "-m", system.module, str(case), system.variant],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                env=environment,
                cwd=ROOT,
            )
        self.ready = Ready(**self._line())

    def ask(self, request: Request) -> Reply:
        """Send, wait, receive. Raises RuntimeError where the process has died."""
        print(json.dumps(asdict(request)), file=self._process.stdin, flush=True)
        return Reply(**self._line())

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _line(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            status = self._process.wait()
            said = self._said.read_text(encoding="utf-8", errors="replace")[-_SHOWN:]
            raise RuntimeError(f"{self.system.name} ended with status {status}:\n{said}")
        values: dict[str, Any] = json.loads(line)
        return values
