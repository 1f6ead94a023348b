"""Checksums of files, in the format of ``sha256sum``: a line a file, verified by
``sha256sum -c SHA256SUMS``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from transduce.errors import ModelError

__all__ = ["SUMS", "Sums", "damaged", "digest"]

SUMS = "SHA256SUMS"
_LINE = re.compile(r"(\\?)([0-9a-f]{64}) [ *](.+)")
_ESCAPED = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_PLAIN = {escaped: plain for plain, escaped in _ESCAPED.items()}


class Sums(dict[str, str]):
    """SHA-256 in hexadecimal by the path of the file, from the folder that they stand in."""

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """None where there is no such file. Raises OSError, ModelError for another format."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise ModelError(f"{path} must hold lines of sha256sum; got bytes of no text") from None
        found = cls()
        for number, line in enumerate(text.split("\n"), 1):
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


def digest(path: Path) -> str:
    """SHA-256 of a file's content, read once, as a stream. Raises OSError."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damaged(sums: Mapping[str, str], files: Iterable[tuple[str, Path]]) -> str | None:
    """The first of the files by name whose content has another checksum, or that cannot be read.

    Names that the sums do not list are passed over.
    """
    for name, path in files:
        expected = sums.get(name)
        if expected is None:
            continue
        try:
            if digest(path) != expected:
                return name
        except OSError:
            return name
    return None


def _line(name: str, value: str) -> str:
    escaped = "".join(_ESCAPED.get(character, character) for character in name)
    return f"{chr(92) if escaped != name else ''}{value}  {escaped}\n"
