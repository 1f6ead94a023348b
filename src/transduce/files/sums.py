"""Checksums of files, in the format of ``sha256sum``: a line a file, verified by
``sha256sum -c SHA256SUMS``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Self

from transduce.errors import ModelError
from transduce.files.regular import open_regular, read_small

__all__ = ["SUMS", "Sums", "damaged", "digest"]

SUMS = "SHA256SUMS"
_BLOCK = 1 << 20  # bytes that are read at once
_LINE = re.compile(r"(\\?)([0-9a-f]{64}) [ *](.+)")
_ESCAPED = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_PLAIN = {escaped: plain for plain, escaped in _ESCAPED.items()}


class Sums(dict[str, str]):
    """SHA-256 in hexadecimal by the path of the file, from the folder that they stand in."""

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """None where there is no such file. Raises OSError, ModelError for another format."""
        try:
            text = read_small(path).decode()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise ModelError(f"{path} must hold lines of sha256sum; got bytes of no text") from None
        found = cls()
        for number, ended in enumerate(text.split("\n"), 1):
            line = ended.removesuffix("\r")  # as some version control writes lines
            if not line or line.startswith("#"):
                continue
            match = _LINE.fullmatch(line)
            if match is None:
                raise ModelError(
                    f"{path}, line {number} must be one of sha256sum; got {line[:80]!r}"
                )
            name = match[3]
            if match[1]:
                name = re.sub(r"\\[\\nr]", lambda found: _PLAIN[found[0]], name)
            found[name] = match[2]
        return found

    def to_text(self) -> str:
        """The file's content, by name."""
        return "".join(_line(name, self[name]) for name in sorted(self))


def digest(path: Path, going_on: Callable[[], bool] = lambda: True) -> str:
    """SHA-256 of a file's content, read once, as a stream; while ``going_on``.

    Raises OSError, also where it is no regular file.
    """
    found = hashlib.sha256()
    block = memoryview(bytearray(_BLOCK))
    with open_regular(path) as file:
        while going_on() and (count := file.readinto(block)):
            found.update(block[:count])
    return found.hexdigest()


def damaged(
    sums: Mapping[str, str],
    files: Iterable[tuple[str, Path]],
    going_on: Callable[[], bool] = lambda: True,
) -> str | None:
    """The first of the files by name whose content has another checksum, or that cannot be read.

    Names that the sums do not list are passed over. Nothing is said where it stops before the end.
    """
    for name, path in files:
        expected = sums.get(name)
        if expected is None:
            continue
        try:
            other = digest(path, going_on) != expected
        except OSError:
            other = True
        if not going_on():
            return None
        if other:
            return name
    return None


def _line(name: str, value: str) -> str:
    escaped = "".join(_ESCAPED.get(character, character) for character in name)
    return f"{chr(92) if escaped != name else ''}{value}  {escaped}\n"
