"""The processes that train trials side by side, and what they say."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from transduce.errors import CheckpointError

__all__ = ["Event", "Launched", "Pool", "launch_worker"]

_ROOT = Path(__file__).parents[3]  # where the package lies: the same sources train
_PATIENCE = 5.0  # seconds until a process that was told to end is killed


class Launched(Protocol):
    """A process that was started (``subprocess.Popen``)."""

    stdin: IO[str] | None
    stdout: IO[str] | None

    def kill(self) -> None:
        """End it at once."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status; a signal's number below zero."""
        ...


Launch = Callable[[Path, int], Launched]  # the tuning's folder, the worker's number


def launch_worker(folder: Path, number: int) -> Launched:
    """A Python of its own, one thread, which Ctrl-C at the terminal does not reach.

    Raises CheckpointError where its log cannot be written.
    """
    root = str(_ROOT)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **threads}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):  # it trains alone
        environment.pop(name, None)
    log = folder / "workers.log"
    try:
        with log.open("a", encoding="utf-8") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "transduce.tuning.trials.worker", str(folder / "data")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                encoding="utf-8",
                start_new_session=True,
            )
    except OSError as error:
        raise CheckpointError(f"{log}: a trial cannot be started ({error.strerror})") from None


@dataclass(frozen=True)
class Event:
    """What a worker said; ``message`` is None where it ended, with a reason in words."""

    worker: int
    message: Mapping[str, Any] | None
    reason: str = ""


@dataclass
class _Worker:
    process: Launched
    thread: threading.Thread | None = None


@dataclass
class Pool:
    """Workers by number. One that ends is forgotten; ``start`` makes another."""

    folder: Path
    launch: Launch = launch_worker
    _workers: dict[int, _Worker] = field(default_factory=dict)
    _events: queue.SimpleQueue[Event] = field(default_factory=queue.SimpleQueue)
    _count: int = 0

    def __len__(self) -> int:
        return len(self._workers)

    def start(self) -> int:
        """A new worker's number; it says when it is ready."""
        self._count += 1
        number = self._count
        worker = self._workers[number] = _Worker(self.launch(self.folder, number))
        worker.thread = threading.Thread(target=self._listen, args=(number, worker), daemon=True)
        worker.thread.start()
        return number

    def _listen(self, number: int, worker: _Worker) -> None:
        process = worker.process
        with suppress(ValueError):  # a line cut by a kill
            for line in process.stdout or ():
                self._events.put(Event(number, json.loads(line)))
        process.kill()
        status = process.wait()
        for stream in (process.stdin, process.stdout):
            with suppress(OSError):  # what nobody reads any more cannot be flushed
                if stream is not None:
                    stream.close()
        self._events.put(Event(number, None, _ended(status)))

    def send(self, number: int, message: Mapping[str, Any]) -> None:
        """To one that may have ended: then an event says so."""
        worker = self._workers.get(number)
        if worker is None or (stream := worker.process.stdin) is None:
            return
        with suppress(OSError, ValueError):
            stream.write(json.dumps(message) + "\n")
            stream.flush()

    def next(self, seconds: float) -> Event | None:
        """What was said next; None where nothing is for so long."""
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            return None
        if event.message is None:
            self._workers.pop(event.worker, None)
        return event

    def kill(self, number: int) -> None:
        """End one; an event says when it has."""
        if (worker := self._workers.get(number)) is not None:
            worker.process.kill()

    def close(self) -> None:
        """End all of them, and wait until they have."""
        for number in self._workers:
            self.kill(number)
        for worker in self._workers.values():
            if worker.thread is not None:
                worker.thread.join(_PATIENCE)
        self._workers.clear()


def _ended(status: int) -> str:
    if status >= 0:
        return f"its process ended with status {status}"
    with suppress(ValueError):
        name = signal.Signals(-status).name
        memory = ", perhaps for want of memory" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{memory}"
    return f"its process was ended by signal {-status}"
