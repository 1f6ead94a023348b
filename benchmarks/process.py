"""A system in a process of its own: JSON in, JSON out, one object a line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import capped_environment

__all__ = ["JsonProcess"]

ROOT = Path(__file__).parent.parent
_SHOWN = 2000  # characters of what a process said before it died
_PATIENCE = 20  # seconds it is given to end


class JsonProcess:
    """Runs ``command`` with so many threads until ``end``.

    What it says on standard error goes into the file ``log``, or to the terminal.
    """

    def __init__(
        self, name: str, command: Sequence[str], threads: int, log: Path | None = None
    ) -> None:
        environment = capped_environment(os.environ)
        environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        self._name, self._log = name, log
        said = None if log is None else log.open("wb")
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                env=environment,
                cwd=ROOT,
            )
        finally:
            if said is not None:
                said.close()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send, wait, receive. Raises RuntimeError where the process has died."""
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self.receive()

    def receive(self) -> dict[str, Any]:
        """The next object. Raises RuntimeError where the process has died."""
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            message = f"{self._name} ended with status {self._process.wait()}"
            if self._log is not None:
                message += ":\n" + self._log.read_text(encoding="utf-8", errors="replace")[-_SHOWN:]
            raise RuntimeError(message)
        values: dict[str, Any] = json.loads(line)
        return values

    def end(self) -> None:
        """Close the pipe and wait; kill what does not end by itself."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
