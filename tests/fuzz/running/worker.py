"""A process that feeds inputs to a harness under limits, and is replaced where it dies.

Limits: ``SECONDS`` of processor time and ``BYTES`` more memory than the worker had before its first
input. Both end the worker, as a fault in C code does; the next begins with the input after.
"""

from __future__ import annotations

import faulthandler
import json
import mmap
import os
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from fuzz.harness import Files, Harness
from fuzz.running.coverage import Lines
from fuzz.running.guards import Guards
from fuzz.running.judging import SOURCES, Failure, Verdict, judged, key_of

__all__ = ["BYTES", "SECONDS", "Batch", "Found", "run_batch", "run_one"]

SECONDS = 10.0
BYTES = 512 << 20

_WAITING = 120.0  # seconds by the clock, for what waits and does not work
_ADDRESSES = 2 << 30  # more than BYTES: what is asked for and not used costs little
_BOARD = struct.Struct("<4q")  # number at work, inputs done, refused, last input's outcome
_DONE = 77  # how a worker ends that nothing has ended
_CLOSED = 64  # files that may stay open between two inputs
_SIGNALS = {signal.SIGPROF: "time", signal.SIGALRM: "time"}


@dataclass(frozen=True)
class Found:
    """An input by its number, and what it came to that was new."""

    number: int
    key: str
    lines: tuple[int, ...] = ()
    failure: Failure | None = None
    refused: bool = False


@dataclass
class Batch:
    """What the inputs of one call came to."""

    inputs: int = 0
    refused: int = 0
    found: list[Found] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    baseline: int = 0  # bytes that a worker has before its first input


def run_one(harness: Harness, files: Files) -> Failure | None:
    """The failure of one input in a process of its own."""
    batch = run_batch(harness, lambda _: files, range(1))
    failures = [found.failure for found in batch.found if found.failure is not None]
    return failures[0] if failures else None


def run_batch(
    harness: Harness,
    draw: Callable[[int], Files],
    numbers: range,
    *,
    seconds: float | None = None,
    known: Iterable[str] = (),
    lines: Lines | None = None,
    traced: Callable[[int], bool] = lambda _: False,
) -> Batch:
    """Feed the inputs with these numbers, at most for ``seconds``.

    ``known`` are outcomes that are not new; ``lines`` are kept up to date for inputs that are to be
    ``traced``.
    """
    batch, seen = Batch(), set(known)
    if not harness.warm:
        raise ValueError("a harness must read its own samples")
    end = None if seconds is None else time.monotonic() + seconds
    first = numbers.start
    while first < numbers.stop and (end is None or time.monotonic() < end):
        worker = _Worker(harness, draw, range(first, numbers.stop), end, seen, lines, traced)
        first = worker.run(batch)
    return batch


class _Worker:
    def __init__(
        self,
        harness: Harness,
        draw: Callable[[int], Files],
        numbers: range,
        end: float | None,
        seen: set[str],
        lines: Lines | None,
        traced: Callable[[int], bool],
    ) -> None:
        self.harness, self.draw, self.numbers, self.end = harness, draw, numbers, end
        self.seen, self.lines, self.traced = seen, lines, traced

    def run(self, batch: Batch) -> int:
        """Add what comes to the batch; the number of the first input that was not fed."""
        with (
            tempfile.TemporaryDirectory(prefix="fuzz-") as home,
            tempfile.TemporaryFile() as told,
            tempfile.TemporaryFile() as stacks,
            tempfile.TemporaryFile() as noise,
            mmap.mmap(-1, _BOARD.size) as board,
        ):
            _BOARD.pack_into(board, 0, self.numbers.start, 0, 0, 0)
            sys.stdout.flush()
            sys.stderr.flush()
            if (child := os.fork()) == 0:
                self._serve(Path(home), told, stacks, noise, board)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            current, done, refused, last = _BOARD.unpack_from(board, 0)
            batch.inputs += done
            batch.refused += refused
            told.seek(0)
            for line in told:
                self._read(json.loads(line), batch)
            if status == _DONE:
                return last
            stacks.seek(0)
            failure = _died(status, stacks.read().decode(errors="replace"))
            batch.inputs += 1
            self._note(current, failure, batch)
            return current + 1

    def _read(self, said: dict[str, Any], batch: Batch) -> None:
        if "baseline" in said:
            batch.baseline = max(batch.baseline, said["baseline"])
            return
        failure = Failure(**said["failure"]) if said["failure"] else None
        if failure is not None:
            self._note(said["number"], failure, batch)
            return
        self.seen.add(said["key"])
        if self.lines is not None:
            self.lines.known.update(said["lines"])
        lines = tuple(said["lines"])
        batch.found.append(Found(said["number"], said["key"], lines, refused=said["refused"]))

    def _note(self, number: int, failure: Failure, batch: Batch) -> None:
        batch.failures[failure.signature] += 1
        if failure.signature not in self.seen:
            self.seen.add(failure.signature)
            batch.found.append(Found(number, failure.signature, (), failure))

    # ------------------------------------------------ in the child

    def _serve(
        self,
        home: Path,
        told: IO[bytes],
        stacks: IO[bytes],
        noise: IO[bytes],
        board: mmap.mmap,
    ) -> None:
        status = 1
        try:
            folder = home / "input"
            folder.mkdir()
            guards = _begin(folder, stacks, noise)
            self.noise = noise
            start = _memory()
            _tell(told, {"baseline": start})
            self._feed_all(folder, told, board, guards, start)
            status = _DONE
        except BaseException:
            import traceback

            os.write(stacks.fileno(), traceback.format_exc().encode())
        finally:
            os._exit(status)

    def _feed_all(
        self, folder: Path, told: IO[bytes], board: mmap.mmap, guards: Guards, start: int
    ) -> None:
        done = refused = 0
        number = self.numbers.start
        open_files = _open_files()
        for number in self.numbers:
            if self.end is not None and time.monotonic() > self.end:
                break
            files = self.draw(number)
            _BOARD.pack_into(board, 0, number, done, refused, number)
            verdict = self._verdict(files, folder, guards, number)
            grown = _memory() - start
            if grown > BYTES:
                verdict = Verdict(False, "", Failure("memory", f"{grown >> 20} MiB: too much"))
            if number % 64 == 0 and (count := _open_files()) > open_files + _CLOSED:
                what = f"files stay open: {count - open_files}"
                verdict = Verdict(False, "", Failure("escape", what))
                open_files = count
            done += 1
            refused += verdict.refused
            self._report(number, verdict, told)
            if grown > BYTES:
                number += 1
                break
        else:
            number += 1
        _BOARD.pack_into(board, 0, number, done, refused, number)

    def _verdict(self, files: Files, folder: Path, guards: Guards, number: int) -> Verdict:
        tracing = self.lines is not None and self.traced(number)
        guards.watching = True
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.setitimer(signal.ITIMER_REAL, _WAITING)
        try:
            with self.lines.traced() if tracing and self.lines is not None else nullcontext():
                answer = self.harness.feed(files, folder)
            verdict = Verdict(False, key_of(repr(answer)))
        except BaseException as error:
            verdict = judged(error)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
            guards.watching = False
        if panic := _panic(self.noise):
            verdict = Verdict(False, "", Failure("panic", panic, _panicked(verdict)))
        if guards.seen:
            verdict = Verdict(False, "", Failure("escape", guards.seen[0]))
            guards.seen.clear()
        _empty(folder)
        return verdict

    def _report(self, number: int, verdict: Verdict, told: IO[bytes]) -> None:
        lines = self.lines.new() if self.lines is not None else []
        if verdict.failure is not None:
            _tell(told, {"number": number, "failure": asdict(verdict.failure)})
        elif verdict.key not in self.seen or lines:
            self.seen.add(verdict.key)
            said = {"number": number, "key": verdict.key, "refused": verdict.refused}
            _tell(told, {**said, "lines": lines, "failure": None})


def _begin(folder: Path, stacks: IO[bytes], noise: IO[bytes]) -> Guards:
    """Limits and guards of a child; what it says is kept for :func:`_panic`."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor, other in ((0, nothing), (1, nothing), (2, noise.fileno())):
        os.dup2(other, descriptor)
    os.chdir(folder)
    aside = folder.with_name("aside")
    aside.mkdir()
    tempfile.tempdir = os.environ["TMPDIR"] = str(aside)
    sys.dont_write_bytecode = True
    faulthandler.enable(stacks, all_threads=False)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
        faulthandler.register(number, stacks, all_threads=False, chain=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (_addresses() + _ADDRESSES, hard))
    guards = Guards(folder, aside)
    guards.install()
    return guards


def _panic(noise: IO[bytes]) -> str | None:
    """What Rust said of a panic since it was last asked, whoever caught it. Nothing is kept."""
    size = os.lseek(noise.fileno(), 0, os.SEEK_CUR)
    if not size:
        return None
    said = os.pread(noise.fileno(), min(size, 1 << 16), 0).decode(errors="replace")
    os.lseek(noise.fileno(), 0, os.SEEK_SET)
    os.ftruncate(noise.fileno(), 0)
    lines = said.splitlines()
    number = next((n for n, line in enumerate(lines) if "panicked at" in line), None)
    if number is None:
        return None
    place = lines[number].partition("panicked at ")[2].rpartition("/src/")[2]
    return f"{place} {' '.join(lines[number + 1 : number + 2])}"


def _panicked(verdict: Verdict) -> str:
    return "" if verdict.failure is None else verdict.failure.place


def _tell(told: IO[bytes], what: dict[str, Any]) -> None:
    os.write(told.fileno(), json.dumps(what).encode() + b"\n")


def _memory() -> int:
    """The largest resident set so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


def _addresses() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 1 << 44
    return pages * resource.getpagesize()


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0


def _empty(folder: Path) -> None:
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _died(status: int, stack: str) -> Failure:
    frames = [line.strip() for line in stack.splitlines() if SOURCES in line]
    place = ""
    if frames:  # File "…/data/tables.py", line 12 in rows
        name, _, rest = frames[0].partition(SOURCES)[2].partition('"')
        place = f"{name.lstrip('/')}:{rest.split()[2] if len(rest.split()) > 2 else '?'}"
    if status >= 0:
        return Failure("exception", f"the worker ended with {status}: itself", place, stack[-8000:])
    number = signal.Signals(-status)
    kind = _SIGNALS.get(number, "signal")
    what = f"more than {SECONDS:.0f} s" if kind == "time" else f"{number.name}: the process died"
    return Failure(kind, what, place, stack[-8000:])
