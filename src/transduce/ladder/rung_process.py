"""A rung in a process of its own, as the one that measures sees it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from transduce.errors import ModelError

__all__ = ["RungProcess"]

_SHOWN = 400  # characters of what a process said before it died
_PATIENCE = 20  # seconds it is given to end


class RungProcess:
    """Runs a rung with so many threads until it is closed.

    ``seconds`` are those from its start to its first output; ``first`` is what it then said.
    Raises ModelError where the rung cannot be run.
    """

    def __init__(self, name: str, job: Mapping[str, Any], threads: int, source: str) -> None:
        self._name = name
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        count = str(threads)
        environment = {**os.environ, "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count}
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "transduce.ladder.rung_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            encoding="utf-8",
            env=environment,
        )
        try:
            self._send(job)
            self.first = self.ask([source], 1)
        except BaseException:
            self.close()
            raise
        self.seconds = time.perf_counter() - began

    def ask(self, sources: Sequence[str], together: int) -> dict[str, Any]:
        """What the rung answers; see :mod:`~transduce.ladder.rung_worker`. Raises ModelError."""
        self._send({"sources": list(sources), "together": together})
        stdout = self._process.stdout
        line = stdout.readline() if stdout is not None else ""
        if not line:
            raise ModelError(f"{self._name} must be run to its end; it ended{self._last_words()}")
        reply: dict[str, Any] = json.loads(line)
        if "failed" in reply:
            raise ModelError(f"{self._name}: {reply['failed']}")
        return reply

    def _send(self, values: Mapping[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # what it said tells why
            print(json.dumps(values), file=self._process.stdin, flush=True)

    def _last_words(self) -> str:
        status = self._process.wait()
        self._said.seek(0)
        text = self._said.read().decode(errors="replace").strip()
        last = text.splitlines()[-1][-_SHOWN:] if text else ""
        return f" with status {status}" + (f" ({last})" if last else "")

    def close(self) -> None:
        """End it; kill what does not end by itself."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        try:
            self._process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
