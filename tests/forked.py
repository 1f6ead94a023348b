"""The command line in a fork, its standard streams as a shell may leave them."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable
from typing import NamedTuple

from transduce import cli

__all__ = ["Ended", "forked"]


class Ended(NamedTuple):
    """How it ended."""

    status: int
    out: str
    err: str


def forked(
    *arguments: object,
    stdin: str | None = "",
    stdout: str | None = "read",
    before: Callable[[], None] = lambda: None,
) -> Ended:
    """Run a command; ``stdin`` None is a closed one. ``stdout`` is read, ``broken`` (a pipe that
    nobody reads) or None, closed. ``before`` is called in the fork.
    """
    given, out, err = os.pipe(), os.pipe(), os.pipe()
    os.write(given[1], (stdin or "").encode())
    os.close(given[1])
    sys.stdout.flush()
    if (child := os.fork()) == 0:
        _become([str(argument) for argument in arguments], given, out, err, stdin, stdout, before)
    for descriptor in (given[0], out[1], err[1]):
        os.close(descriptor)
    said = {name: _drained(pipe[0]) for name, pipe in (("out", out), ("err", err))}
    return Ended(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), **said)


def _drained(descriptor: int) -> str:
    with os.fdopen(descriptor, "rb") as pipe:
        return pipe.read().decode()


def _become(
    arguments: list[str],
    given: tuple[int, int],
    out: tuple[int, int],
    err: tuple[int, int],
    stdin: str | None,
    stdout: str | None,
    before: Callable[[], None],
) -> None:
    status = 70
    try:
        os.close(out[0])
        os.dup2(given[0], 0)
        os.dup2(err[1], 2)
        if stdout == "broken":
            reading, writing = os.pipe()
            os.close(reading)
            os.dup2(writing, 1)
            os.close(writing)
        else:
            os.dup2(out[1], 1)
        os.close(out[1])
        sys.stdin, sys.stdout = io.TextIOWrapper(open(0, "rb", closefd=False)), open(1, "w")  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1)  # noqa: SIM115
        if stdin is None:
            os.close(0)
            sys.stdin = None  # type: ignore[assignment]
        if stdout is None:
            os.close(1)
            sys.stdout = None  # type: ignore[assignment]
        sys.argv = ["transduce", *arguments]
        status = _status(before)
    finally:
        os._exit(status)


def _status(before: Callable[[], None]) -> int:
    try:
        before()
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
