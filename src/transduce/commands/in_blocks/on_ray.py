"""Blocks answered by the workers of a Ray cluster, through Ray Data.

Ray gives out the numbers of blocks and takes back what became of each. Workers read sources and
write answers themselves, so nothing large passes through the process that gives out the blocks, and
a block that is answered twice, as its worker was killed, is the same file once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from transduce import __version__
from transduce.commands.in_blocks.block_folder import FinishedBlock, named_output
from transduce.commands.in_blocks.block_tries import tried
from transduce.commands.in_blocks.block_worker import AnsweredBlock, BlockWorker
from transduce.commands.in_blocks.corpus_blocks import CorpusBlock
from transduce.errors import ConfigError, DataError, EngineError, TransduceError
from transduce.kernels.running.threads import set_thread_count, usable_processors

__all__ = ["Cluster", "answered_on_ray", "imported_ray"]

_PATIENCE = 5.0  # seconds in which a cluster must take a connection
_STORE = 100 << 20  # bytes that are shared: only numbers pass through Ray
_PORT = "6379"  # of the head of a cluster
_STDERR = 2


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster by its ``address``, ``HOST`` or ``HOST:PORT`` (None: one is started on this
    machine), whose workers have so many ``threads`` each.
    """

    address: str | None = None
    threads: int = 1


def answered_on_ray(
    worker: BlockWorker, blocks: Sequence[CorpusBlock], cluster: Cluster, say: Callable[[str], None]
) -> Iterator[AnsweredBlock]:
    """Each block as it is finished, in no order. Raises TransduceError."""
    ray = imported_ray()
    began = time.monotonic()
    with _joined(ray, cluster.address):
        workers = _workers(ray, cluster.threads, len(blocks))
        if cluster.address is not None:
            _require_installed(ray)
        started = time.monotonic() - began
        say(f"Ray started in {started:.1f} s: {workers} workers with {cluster.threads} cores each")
        try:
            for row in _rows(ray, worker, blocks, workers, cluster.threads):
                yield _answered(row)
        except ray.exceptions.RayError as error:
            raise EngineError(f"workers must live through a block; got: {_reason(error)}") from None


class BlockActor:
    """What runs on the cluster: a worker that takes numbers and gives back numbers and texts."""

    def __init__(self, worker: BlockWorker, folder: str, threads: int) -> None:
        set_thread_count(threads)
        self._worker, self._folder = worker, folder

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Answer the one block of a batch. What a person can mend is told, not raised: Ray would
        try it again.
        """
        values = {name: column[0] for name, column in batch.items()}
        numbers = {name: int(values[name]) for name in ("number", "first", "count", "id")}
        block = CorpusBlock(path=str(values["path"]), **numbers)
        try:
            _stand_in(self._folder)
            with named_output(self._worker.folder), tried(self._worker.folder, block):
                answered = self._worker.answer(block)
        except TransduceError as error:
            return _row(FinishedBlock(numbers["number"], 0, 0, 0, 0), (), str(error))
        return _row(answered.block, answered.errors, "")


def _stand_in(folder: str) -> None:
    """Names mean what they mean where the command was given. Raises DataError."""
    try:
        os.chdir(folder)
    except OSError as error:
        message = "folder that the command was given in must be there on each machine"
        raise DataError(f"{message}; got {error.strerror}", file=folder) from None


def _row(block: FinishedBlock, errors: Sequence[str], failure: str) -> dict[str, Any]:
    texts = {"errors": "\n".join(errors), "failure": failure}
    return {
        **{name: np.array([number]) for name, number in asdict(block).items()},
        **{name: np.array([text], object) for name, text in texts.items()},
    }


def _answered(row: dict[str, Any]) -> AnsweredBlock:
    if row["failure"]:
        raise DataError(str(row["failure"]))
    block = FinishedBlock(**{field.name: int(row[field.name]) for field in fields(FinishedBlock)})
    return AnsweredBlock(block, tuple(str(row["errors"]).splitlines()))


def _rows(
    ray: Any, worker: BlockWorker, blocks: Sequence[CorpusBlock], workers: int, threads: int
) -> Iterator[dict[str, Any]]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    asked = ray.data.from_items(
        [asdict(block) for block in blocks], override_num_blocks=len(blocks)
    )
    answered = asked.map_batches(
        BlockActor,
        batch_size=1,
        fn_constructor_args=(worker, os.getcwd(), threads),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=threads,
    )
    yield from answered.iter_rows()


def imported_ray() -> Any:
    """Raises ConfigError where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--on ray must have {error.name}, which is not installed: pip install 'transduce[ray]'"
        ) from None
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what fails is raised, too
    return ray


@contextlib.contextmanager
def _joined(ray: Any, address: str | None) -> Iterator[None]:
    """Be part of the cluster in the block. Raises ConfigError where there is none."""
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    host, _, port = (address or "").partition(":")
    port = port or _PORT
    try:
        if address is not None:
            _require_answer(host, port)
        with _hushed():
            if address is None:
                ray.init(
                    address="local",
                    num_cpus=usable_processors(),
                    include_dashboard=False,
                    object_store_memory=_STORE,
                    **quiet,
                )
            else:
                ray.init(address=f"{host}:{port}", **quiet)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, OSError) as error:
        where = "on this machine" if address is None else f"at {address}"
        raise ConfigError(
            f"--on must be a Ray cluster that runs; got none {where}: {_reason(error)}"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """What Ray's own libraries write to standard error about themselves is dropped."""
    sys.stderr.flush()
    kept = os.dup(_STDERR)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), _STDERR)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)


def _require_answer(host: str, port: str) -> None:
    """Raise OSError where nobody listens: Ray itself would wait for a minute."""
    with socket.create_connection((host, int(port)), timeout=_PATIENCE):
        pass


def _workers(ray: Any, threads: int, blocks: int) -> int:
    """As many as have room on the machines, and are needed. Raises ConfigError for none."""
    rooms = [
        int(node["Resources"].get("CPU", 0)) // threads for node in ray.nodes() if node["Alive"]
    ]
    if not sum(rooms):
        raise ConfigError(f"--threads must be at most the cores of a machine; got {threads}")
    return min(blocks, sum(rooms))


def _require_installed(ray: Any) -> None:
    """Raise ConfigError where machines of the cluster have no transduce, or another one."""
    try:
        found = ray.get(ray.remote(_version).options(num_cpus=0).remote())
    except ray.exceptions.RayError:
        found = "none"
    if found != __version__:
        raise ConfigError(
            f"--on must be a cluster whose machines have transduce {__version__} installed; "
            f"got {found}"
        )


def _version() -> str:
    from transduce import __version__ as installed

    return installed


def _reason(error: BaseException) -> str:
    """The last line that says something: before it stand Ray's own frames."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
