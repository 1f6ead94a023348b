"""Running a command under limits: its exit status, processor's seconds and peak memory.

For tests of what a hostile file may cost, by hand as well:

    python tests/measured.py transduce check bomb.tsv.zst
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MOST_BYTES", "MOST_SECONDS", "OF_TORCH", "Measured", "measured", "transduce"]

MOST_SECONDS = 10.0
MOST_BYTES = 512 << 20
OF_TORCH = 235 << 20  # bytes of a process that has imported torch and done nothing yet

_PAUSE = 0.005  # seconds between two looks


@dataclass(frozen=True)
class Measured:
    """What a command did.

    ``status`` is negative for a signal. ``seconds`` are the processor's, of all threads, which do
    not depend on who else works. ``peak`` is the largest resident set in bytes, libraries'
    pages included, ``private`` its part that no file backs; both are 0 where the system does not
    tell. ``stopped`` says what limit it broke.
    """

    status: int
    seconds: float
    peak: int
    private: int
    output: bytes
    error: str
    stopped: str = ""

    @property
    def last_line(self) -> str:
        """Of standard error: what a person is told."""
        return self.error.strip().rpartition("\n")[2]

    @property
    def sound(self) -> bool:
        """Whether it ended well or with one line that says why not."""
        return self.status in (0, 2) and not self.stopped and "Traceback" not in self.error

    def __str__(self) -> str:
        end = self.stopped or f"status {self.status}"
        return (
            f"{end}, {self.seconds:.1f} s, {self.peak >> 20} MiB ({self.private >> 20} private): "
            f"{self.last_line[:200]}"
        )


def transduce(*arguments: object, **limits: float | bytes) -> Measured:
    """The command line of this interpreter."""
    command = [sys.executable, "-m", "transduce", *map(str, arguments)]
    return measured(command, **limits)  # type: ignore[arg-type]


def measured(
    command: Sequence[str],
    *,
    stdin: bytes = b"",
    seconds: float = 60.0,
    most: float = 4 << 30,
    environment: Mapping[str, str] | None = None,
) -> Measured:
    """Run a command to its end, or until it takes more than ``seconds`` or ``most`` bytes."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            process = subprocess.Popen(
                command, stdin=given, stdout=out, stderr=err, env=environment
            )
        started = time.monotonic()
        peak = private = 0
        stopped = ""
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            peak_now, private_now = _memory(process.pid)
            peak, private = max(peak, peak_now), max(private, private_now)
            if private > most:
                stopped = f"more than {most / 2**20:.0f} MiB"
            elif time.monotonic() - started > seconds:
                stopped = f"more than {seconds:.0f} s"
            if stopped:
                process.kill()
            time.sleep(_PAUSE)
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        took = ended[2].ru_utime + ended[2].ru_stime
        out.seek(0)
        err.seek(0)
        error = err.read().decode(errors="replace")
        return Measured(process.returncode, took, peak, private, out.read(), error, stopped)


def _memory(process: int) -> tuple[int, int]:
    """Largest resident set so far, and what no file backs now, in bytes."""
    found = {"VmHWM": 0, "RssAnon": 0}
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in found:
                found[name] = int(value.split()[0]) << 10
    except (OSError, IndexError, ValueError):  # it has just ended, or this is no Linux
        pass
    return found["VmHWM"], found["RssAnon"]


if __name__ == "__main__":
    print(measured(sys.argv[1:]))
