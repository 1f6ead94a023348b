"""Where answers go: standard output, one file, or one file for each source."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, TextIO

from transduce.commands.predicting.answer_forms import Answer, Form
from transduce.errors import DataError

__all__ = ["Answers", "opened_answers"]


class Answers(Protocol):
    """What takes answers in the order of their sources."""

    def write(self, answer: Answer) -> None:
        """Write one. Raises DataError naming a file that cannot be written."""
        ...

    def flush(self) -> None:
        """Let a person see what is written."""
        ...


@contextlib.contextmanager
def opened_answers(
    form: Form, output: Path | None, folder: Path | None, nbest: int, extras: Sequence[str] = ()
) -> Iterator[Answers]:
    """Where answers go, as they come: what is there after a kill is all that was done."""
    head = form.head(nbest, extras)
    if folder is not None:
        with _naming(folder):
            folder.mkdir(parents=True, exist_ok=True)
        yield _Files(form, folder, head)
        return
    if output is None:
        yield _Stream(form, sys.stdout, None, head)
        return
    with _naming(output):
        stream = output.open("w", encoding="utf-8", errors="backslashreplace", newline="\n")
    try:
        yield _Stream(form, stream, output, head)
    finally:
        with _naming(output):
            stream.close()


class _Stream:
    """One stream for all; errors name its file, those of sources that are read meanwhile theirs."""

    def __init__(self, form: Form, stream: TextIO, file: Path | None, head: str) -> None:
        self._form, self._stream, self._file = form, stream, file
        self._count = 0
        with _naming(file):
            stream.write(head)

    def write(self, answer: Answer) -> None:
        self._count += 1
        if self._form.alone and self._count > 1:
            raise DataError(
                "subtitles must be of one recording in one file; got more recordings: "
                "--output-dir names a folder for a file of each"
            )
        with _naming(self._file):
            self._stream.write(self._form.record(answer))

    def flush(self) -> None:
        with _naming(self._file):
            self._stream.flush()


class _Files:
    """A file for each source, named as the source is; a second of the same name has a number."""

    def __init__(self, form: Form, folder: Path, head: str) -> None:
        self._form, self._folder, self._head = form, folder, head
        self._taken: set[str] = set()
        self._count = 0

    def write(self, answer: Answer) -> None:
        self._count += 1
        stem = Path(answer.source).stem if answer.source else f"record-{self._count}"
        name, number = stem, 1
        while name.casefold() in self._taken:  # folders that know no case are common
            number += 1
            name = f"{stem}-{number}"
        self._taken.add(name.casefold())
        path = self._folder / f"{name}{self._form.suffix}"
        with _naming(path):
            text = self._head + self._form.record(answer)
            path.write_bytes(text.encode(errors="backslashreplace"))  # names may be no UTF-8

    def flush(self) -> None:
        """Each file is whole when it is written."""


@contextlib.contextmanager
def _naming(output: Path | None) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if output is None:
            raise
        raise DataError(f"--output must be writable; got {error.strerror}", file=output) from None
