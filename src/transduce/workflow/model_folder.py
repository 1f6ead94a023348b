"""The files of a model directory: changed as one, read as one, checked by their sums."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from transduce.errors import ModelError
from transduce.files import SUMS, Change, Sums, changing, damaged, digest, place
from transduce.untrusted.json import read_object

__all__ = [
    "CONFIG",
    "PUBLISHED",
    "REPORT",
    "WEIGHTS",
    "checked",
    "checked_export",
    "read_report",
    "replacing_model",
    "require_files",
]

CONFIG, WEIGHTS, REPORT = "config.yaml", "model.safetensors", "report.json"
PUBLISHED = "published"  # the folder of a network that transformers runs
_ALL = (
    WEIGHTS,
    REPORT,
    "confidence.json",
    "shortlist.safetensors",
    *("source.tokenizer.json", "source.tokenizer.json.gz"),
    *("source.*.tokenizer.json", "source.*.tokenizer.json.gz"),
    *("target.tokenizer.json", "target.tokenizer.json.gz"),
    *("target.*.tokenizer.json", "target.*.tokenizer.json.gz"),
)  # what a model may have
_WORTH_WAITING = 1 << 30  # bytes that are read to the end only to explain an error


@contextmanager
def replacing_model(folder: str | Path) -> Iterator[Change]:
    """Write a whole model, in one change; what only the old one had goes with it.

    Raises BusyError where another process writes there, OSError naming the file.
    """
    with changing(folder) as change:
        yield change
        for name in _old_files(change.folder):
            change.remove(name)


def _old_files(folder: Path) -> list[str]:
    """Of the model that is there; in a directory without one nothing is taken for ours."""
    if not (folder / CONFIG).is_file():
        return []
    found = [name for pattern in _ALL for name in folder.glob(pattern)]
    if (folder / PUBLISHED / "config.json").is_file():
        found.append(folder / PUBLISHED)
    return [path.name for path in found]


def require_files(folder: Path, names: Sequence[str]) -> None:
    """Raise ModelError where a model directory lacks one of the files."""
    missing = [name for name in names if not place(folder, name).is_file()]
    if missing and (folder / "config.json").is_file():
        raise ModelError(
            f"model must be a directory of ours; got {folder}, which looks like a published "
            "model: `transduce import` makes it one of ours, in Python Transducer.from_pretrained"
        )
    if missing:
        raise ModelError(
            f"model must be a directory with {CONFIG}, {WEIGHTS} and tokenizers; "
            f"got {folder}, which has no {missing[0]}"
        )


def read_report(folder: Path) -> dict[str, Any]:
    """The report of a model directory; empty where there is none."""
    path = place(folder, REPORT)
    return read_object(path, odd_numbers="none") if path.exists() else {}


@contextmanager
def checked(folder: Path, names: Sequence[str]) -> Iterator[None]:
    """Read these files in the block; their checksums are made beside it, in a thread.

    Raises ModelError at its end where one is not the file that was saved, also in place of an
    error that comes of it. A directory without sums is read as it is; the log says so.
    """
    sums = _sums(folder)
    if sums is None:
        _say_once(f"{folder} has no {SUMS}: damage would not be noticed; save the model anew")
        yield
        return
    inner = {name.partition("/")[0] for name in names if "/" in name}  # folders that belong to it
    inside = (name for name in sums if name.partition("/")[0] in inner and ".." not in name)
    names = sorted({*names, *inside})
    for name in names:
        if name not in sums:
            _say_once(f"{folder / SUMS} does not list {name}: damage would not be noticed")
    _say_if_edited(folder, sums)
    with _hashed(folder, sums, names) as found:
        yield
    _refuse(folder, found.result())


@contextmanager
def checked_export(folder: Path) -> Iterator[None]:
    """Likewise the directory of an export, where that has checksums; of all files in it."""
    try:
        sums = _sums(folder) or Sums()
    except ModelError:  # of somebody else, who writes them in another way
        sums = Sums()
    with _hashed(folder, sums, [name for name in sums if Path(name).name == name]) as found:
        yield
    _refuse(folder, found.result())


@contextmanager
def _hashed(folder: Path, sums: Sums, names: Sequence[str]) -> Iterator[Future[str | None]]:
    """What is damaged, found out beside the block. An error of the block says so too, unless the
    files are too large to wait for.
    """
    files = [(name, place(folder, name)) for name in names]
    stopped = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(damaged, sums, files, lambda: not stopped.is_set())
        try:
            yield found
        except ModelError as error:
            if _size(path for _, path in files) > _WORTH_WAITING:
                stopped.set()
            if (other := found.result()) is not None:
                raise ModelError(f"{error} ({SUMS}: {other} is not what was saved)") from None
            raise
        except BaseException:
            stopped.set()
            raise


def _size(paths: Iterable[Path]) -> int:
    with suppress(OSError):
        return sum(path.stat().st_size for path in paths)
    return 0


def _sums(folder: Path) -> Sums | None:
    try:
        return Sums.read(place(folder, SUMS))
    except OSError as error:
        raise ModelError(f"{folder / SUMS} must be readable; {error.strerror}") from None


def _refuse(folder: Path, name: str | None) -> None:
    if name is not None:
        raise ModelError(
            f"{folder / name} must be the file that was saved; its checksum is not that of {SUMS}: "
            f"copy the model again (or remove {SUMS}, if the file was changed on purpose)"
        )


def _say_if_edited(folder: Path, sums: Sums) -> None:
    """A config may be edited by hand."""
    expected = sums.get(CONFIG)
    if expected is not None and digest(place(folder, CONFIG)) != expected:
        message = "%s was changed since it was saved"
        logging.getLogger("transduce").info(message, folder / CONFIG)


@cache
def _say_once(message: str) -> None:
    logging.getLogger("transduce").warning("%s", message)
