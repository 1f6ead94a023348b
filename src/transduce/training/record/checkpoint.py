"""Checkpoints: folders of safetensors and one JSON file, whole at every instant.

A checkpoint is written into ``.incomplete-NNNNNNNN``, synced to the disk and renamed to
``checkpoint-NNNNNNNN``; a kill leaves the old ones or the old ones and the new one. ``SHA256SUMS``
in it tells damage.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from transduce.errors import CheckpointError, ModelError
from transduce.files import (
    SUMS,
    Sums,
    changing,
    clear_asides,
    damaged,
    digest,
    exchange,
    finish,
    locked,
    sync_folder,
)
from transduce.models.storage import as_system_error
from transduce.untrusted.json import read_object
from transduce.untrusted.tensors import read_tensors

__all__ = [
    "MODEL",
    "Checkpoint",
    "has_checkpoint",
    "newest_checkpoint",
    "publish_best",
    "require_room",
    "write_checkpoint",
]

MODEL = "model.safetensors"  # the best weights, in the model directory
_KEPT = 2
_INCOMPLETE = ".incomplete-"
_NAME = re.compile(r"checkpoint-(\d{8,})")
_STATE = "state.json"
_BEST = "best.safetensors"
_OTHER = f"another content than {SUMS} says"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint on disk: groups of tensors (``weights``, ``optimizer``, …) and a state."""

    path: Path

    def state(self) -> dict[str, Any]:
        """The state as it was written. Raises CheckpointError naming the file."""
        file = self.path / _STATE
        self._require_whole(file)
        try:
            return read_object(file, odd_numbers="kept")
        except ModelError as error:
            raise _unreadable(file, error) from None

    def wrong_state(self, reason: object) -> CheckpointError:
        """What to raise where the state is not that of a run."""
        return _unreadable(self.path / _STATE, f"{type(reason).__name__}, {reason}")

    def tensors(self, group: str) -> dict[str, Tensor]:
        """One group of tensors by name, on the CPU. Raises CheckpointError naming the file."""
        file = self.path / f"{group}.safetensors"
        self._require_whole(file)
        try:
            return read_tensors(file)
        except ModelError as error:
            raise _unreadable(file, error) from None

    @property
    def best(self) -> Path | None:
        """The file with the weights of the best dev scoring so far, if there was one."""
        file = self.path / _BEST
        return file if file.is_file() else None

    def sums(self) -> Sums:
        """Of its files; none where it was written before there were such. Raises
        CheckpointError.
        """
        file = self.path / SUMS
        try:
            return Sums.read(file) or Sums()
        except (OSError, ModelError) as error:
            raise _unreadable(file, error) from None

    def _require_whole(self, file: Path) -> None:
        """Raise CheckpointError where a file is not what was written."""
        if file.is_file() and damaged(self.sums(), [(file.name, file)]):
            raise _unreadable(file, _OTHER)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.path.iterdir())


def has_checkpoint(folder: str | Path) -> bool:
    """Whether a run in this model directory can be resumed."""
    return newest_checkpoint(Path(folder) / "training") is not None


def newest_checkpoint(training: Path) -> Checkpoint | None:
    """The last whole checkpoint in a ``training`` folder."""
    paths = _checkpoints(training)
    return Checkpoint(paths[-1]) if paths else None


def write_checkpoint(
    training: Path,
    step: int,
    state: Mapping[str, Any],
    groups: Mapping[str, Mapping[str, Tensor]],
    best: Mapping[str, Tensor] | None = None,
) -> Checkpoint:
    """Write a checkpoint and remove all but the newest two.

    ``best`` are new best weights; None keeps those of the checkpoint before, by a hard link where
    the disk has them. Raises CheckpointError where the disk is full or cannot be written; what
    was there before is then still whole.
    """
    before = newest_checkpoint(training)
    aside = training / f"{_INCOMPLETE}{step:08d}"
    path = training / f"checkpoint-{step:08d}"
    with _explained(training, before):
        try:
            _remove_incomplete(training)
            aside.mkdir(parents=True)
            with ThreadPoolExecutor(1) as beside:  # sums are made while the next file is written
                found: dict[str, Future[str]] = {}
                for group, tensors in groups.items():
                    file = aside / f"{group}.safetensors"
                    _write_tensors(file, tensors)
                    found[file.name] = beside.submit(digest, file)
                known = _add_best(aside / _BEST, best, before)
                _write_bytes(aside / _STATE, json.dumps(state, indent=1).encode())
                sums = Sums({name: future.result() for name, future in found.items()})
            sums.update(known)
            sums.update({p.name: digest(p) for p in aside.iterdir() if p.name not in sums})
            _write_bytes(aside / SUMS, sums.to_text().encode())
            sync_folder(aside)
            _put(aside, path)
            sync_folder(training)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        for old in _checkpoints(training)[:-_KEPT]:
            # Renamed first: a kill while files go must not leave what looks like a checkpoint.
            old.rename(old.with_name(f"{_INCOMPLETE}{old.name}"))
        _remove_incomplete(training)
    return Checkpoint(path)


def _add_best(file: Path, best: Mapping[str, Tensor] | None, before: Checkpoint | None) -> Sums:
    """Gives its checksum where it is that of the checkpoint before."""
    if best is not None:
        _write_tensors(file, best)
    elif before is not None and before.best is not None:
        _link_or_copy(before.best, file)
        with suppress(CheckpointError):  # else it is made anew
            return Sums({name: v for name, v in before.sums().items() if name == _BEST})
    return Sums()


def _put(aside: Path, path: Path) -> None:
    """Give a checkpoint its name; one of the same step goes, where there is one."""
    if not path.exists():
        aside.rename(path)
    elif not exchange(aside, path):
        path.rename(path.with_name(f"{_INCOMPLETE}replaced"))
        aside.rename(path)


def publish_best(checkpoint: Checkpoint, path: Path) -> None:
    """Make the best weights of a checkpoint the model's file. Raises CheckpointError."""
    best = checkpoint.best
    if best is None:
        return
    with _explained(path, checkpoint), changing(path.parent) as change:
        copy = change.path(path.name)
        shutil.copyfile(best, copy)
        if damaged(checkpoint.sums(), [(_BEST, copy)]):
            raise _unreadable(best, _OTHER)


def require_room(training: Path, needed: int) -> None:
    """Make the folder and remove what killed runs left half-written in it.

    Raises CheckpointError if it cannot be written or cannot hold so many bytes more.
    """
    try:
        training.mkdir(parents=True, exist_ok=True)
        with locked(training.parent) as alone:
            finish(training.parent, alone)
            _remove_incomplete(training)
            clear_asides(training)
        free = shutil.disk_usage(training).free
    except OSError as error:
        raise CheckpointError(
            f"{training} must be a writable directory; got: {error.strerror}"
        ) from None
    if free < needed:
        raise CheckpointError(
            f"{training} must have about {needed / 1e6:,.0f} MB free for checkpoints; "
            f"got {free / 1e6:,.0f} MB"
        )


def _remove_incomplete(training: Path) -> None:
    """Remove what killed runs left half-written."""
    for leftover in training.glob(f"{_INCOMPLETE}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _link_or_copy(source: Path, destination: Path) -> None:
    """A second name for a file that is never changed in place, or a copy of it."""
    try:
        os.link(source, destination)
    except OSError:
        shutil.copyfile(source, destination)
        _sync(destination)


def _checkpoints(training: Path) -> list[Path]:
    if not training.is_dir():
        return []
    found = [path for path in training.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(path.name.partition("-")[2]))


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path.touch()
    mode = path.stat().st_mode
    try:
        save_file(plain, path, metadata={"format": "pt"})
    except SafetensorError as error:
        raise as_system_error(error, path) from None
    path.chmod(mode)  # the library makes files that only their owner may read
    _sync(path)


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    _sync(path)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def _explained(place: Path, last_good: Checkpoint | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        kept = f"; the last good checkpoint is {last_good.path}" if last_good else ""
        raise CheckpointError(f"{place}: a checkpoint cannot be written ({reason}){kept}") from None


def _unreadable(file: Path, reason: object) -> CheckpointError:
    return CheckpointError(
        f"{file} must be readable to resume; got: {reason}. Remove {file.parent} to go on from "
        "the checkpoint before it"
    )
