"""What a shell gives and gets: standard streams, however they are left, and an exit status."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

from transduce.errors import TransduceError, one_line

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["pipes_told", "speaking", "stand_in_for_closed_streams"]

_WRONG, _NOBODY_READS = 2, 141  # the second is 128 + SIGPIPE, as a shell says it


class _PipeClosedError(Exception):
    """Nobody reads what is written any more."""


@contextlib.contextmanager
def pipes_told() -> Iterator[None]:
    """Hide a closed pipe from libraries, which would end with a status of their own."""
    try:
        yield
    except BrokenPipeError:
        raise _PipeClosedError from None


@contextlib.contextmanager
def speaking(debug: bool) -> Iterator[None]:
    """Run a command in the block; an error that a person can mend is one line and status 2.

    With ``debug`` it keeps its traceback. A pipe that nobody reads ends with 141.
    """
    stand_in_for_closed_streams()
    _speak_utf8()
    _require_directory()
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # now, where an error still has somebody to explain it
    except TransduceError as error:
        if debug:
            raise
        _end(_WRONG, str(error))
    except (_PipeClosedError, BrokenPipeError):
        _end(_NOBODY_READS)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # rich ends so, with a status of its own
            _end(_NOBODY_READS)
        raise
    except OSError as error:  # a full disk, a closed terminal: nothing that a traceback explains
        if debug:
            raise
        _end(_WRONG, _explained(error))


def _require_directory() -> None:
    """Libraries end the process where the directory that it stands in was removed."""
    try:
        os.getcwd()
    except FileNotFoundError:
        _end(_WRONG, "current directory must be one that exists; got one that was removed")


def stand_in_for_closed_streams() -> None:
    """Where a standard stream is closed, take its number, so that no file of ours gets it.

    Reading and writing then fail with the system's error; messages for people are dropped.
    """
    for name, flags, mode in (
        ("stdin", os.O_WRONLY, "r"),
        ("stdout", os.O_RDONLY, "w"),
        ("stderr", os.O_WRONLY, "w"),
    ):
        if getattr(sys, name) is None:
            raw = io.FileIO(os.open(os.devnull, flags), mode, closefd=False)
            buffer = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
            setattr(sys, name, io.TextIOWrapper(buffer, encoding="utf-8"))


def _speak_utf8() -> None:
    """Text goes out as it comes in, whatever the locale says; errors of the output name it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _named_output(sys.stdout)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _named_output(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """The same place to write to; as it was where it is no file of the system."""
    try:
        descriptor = stream.fileno()
        stream.flush()
    except (OSError, ValueError):
        return stream
    at_once = stream.line_buffering or stream.write_through
    raw = _StandardOutput(descriptor, "w", closefd=False)
    raw.before = stream  # which would close the file if nobody held it
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", line_buffering=at_once)


class _StandardOutput(io.FileIO):
    """Says where it is that cannot be written to."""

    before: io.TextIOWrapper

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = "standard output"
            raise


def _explained(error: OSError) -> str:
    """What the system said, and of which file."""
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{os.fsdecode(error.filename)}: {reason}"


def _end(status: int, message: str | None = None) -> NoReturn:
    if message is not None:
        with contextlib.suppress(OSError):
            print("transduce:", one_line(" ".join(message.splitlines())), file=sys.stderr)
    _forget_output()
    sys.exit(status)


def _forget_output() -> None:
    """Let the interpreter end without trying once more to write what nobody takes."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
