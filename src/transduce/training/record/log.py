"""The history of a run: JSON lines, and TensorBoard where it is asked for."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from transduce.errors import CheckpointError, ConfigError
from transduce.files import sync_file, write_text
from transduce.untrusted.json import parse_json
from transduce.untrusted.opening import open_regular

__all__ = ["RunLog", "read_log", "tensorboard_writer"]

_LONGEST = 1 << 20  # bytes of a line


class Scalars(Protocol):
    """What is used of a TensorBoard writer."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """One number of one step."""
        ...

    def flush(self) -> None:
        """Write it down."""
        ...

    def close(self) -> None:
        """The end."""
        ...


class RunLog:
    """Appends to ``log.jsonl``: one JSON object a line with at least ``event`` and ``step``.

    Events: ``start``, ``resume``, ``step`` (means since the last such line), ``dev`` and ``end``.
    """

    def __init__(self, path: Path, scalars: Scalars | None = None) -> None:
        self.path = path
        self._scalars = scalars

    def forget_after(self, step: int, scored: Collection[int] | None = None) -> None:
        """Drop the lines of a lost future, and ends that were none. Raises CheckpointError.

        ``scored`` are the steps whose dev scorings the run knows of; None: all. One that was
        killed between a scoring and its checkpoint makes it once more.
        """
        kept = [
            entry
            for entry in read_log(self.path)
            if entry["step"] <= step
            and entry["event"] != "end"
            and (entry["event"] != "dev" or scored is None or entry["step"] in scored)
        ]
        try:
            write_text(self.path, "".join(_line(entry) for entry in kept))
        except OSError as error:
            raise self._unwritable(error) from None

    def write(self, event: str, step: int, values: Mapping[str, Any]) -> None:
        """Append one line. Raises CheckpointError."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line({"event": event, "step": step, **values}))
        except OSError as error:
            raise self._unwritable(error) from None
        if self._scalars is not None and event in ("step", "dev"):
            self._write_scalars("train" if event == "step" else "dev", step, values)

    def _write_scalars(self, group: str, step: int, values: Mapping[str, Any]) -> None:
        scalars = self._scalars
        if scalars is None:
            return
        try:
            for name, value in values.items():
                if isinstance(value, int | float):
                    scalars.add_scalar(f"{group}/{name}", value, step)
            scalars.flush()
        except OSError as error:
            self._scalars = None  # not to be closed, which would fail once more
            raise _unwritable_scalars(self.path.parent, error) from None

    def sync(self) -> None:
        """Wait until all lines are on the disk. Raises CheckpointError."""
        try:
            with suppress(FileNotFoundError):  # somebody took it away: the next line begins it anew
                sync_file(self.path)
        except OSError as error:
            raise self._unwritable(error) from None

    def close(self) -> None:
        """Nothing more will be written. Raises CheckpointError."""
        if self._scalars is not None:
            try:
                self._scalars.close()
            except OSError as error:
                raise _unwritable_scalars(self.path.parent, error) from None

    def _unwritable(self, error: OSError) -> CheckpointError:
        return CheckpointError(f"{self.path}: the log cannot be written ({error.strerror})")


def read_log(path: str | Path) -> list[dict[str, Any]]:
    """All whole lines of a log, oldest first; none if there is no file.

    A last line that a kill has cut is left out, as is what is no entry of ours. Raises
    CheckpointError where the file cannot be read.
    """
    entries = []
    try:
        with open_regular(path) as file:
            while line := file.readline(_LONGEST):
                entry = _entry(line)
                if entry is not None:
                    entries.append(entry)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CheckpointError(f"{path}: the log cannot be read ({error.strerror})") from None
    return entries


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = parse_json(line.decode(), odd_numbers="none")
    except ValueError:
        return None
    if not isinstance(entry, dict):
        return None
    is_ours = isinstance(entry.get("event"), str) and type(entry.get("step")) is int
    return entry if is_ours else None


def tensorboard_writer(folder: Path, step: int) -> Scalars:
    """A TensorBoard writer that goes on after ``step``.

    Raises ConfigError if not installed, CheckpointError.
    """
    try:  # an extra, and slow to import
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError(
            "training.tensorboard needs the package tensorboard; "
            "install it with: pip install 'transduce[tensorboard]'"
        ) from None
    try:
        writer: Scalars = SummaryWriter(str(folder), purge_step=step + 1)
    except OSError as error:
        raise _unwritable_scalars(folder, error) from None
    return writer


def _unwritable_scalars(folder: Path, error: OSError) -> CheckpointError:
    return CheckpointError(f"{folder}: scalars cannot be written ({error.strerror})")


def _line(entry: Mapping[str, Any]) -> str:
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in entry.items()
    }
    return json.dumps(finite, ensure_ascii=False) + "\n"
