"""The members of an ``.xlsx`` workbook, watched while they are read.

A workbook is an archive of XML files, and the library builds objects of all that it reads. So each
member goes through a parser here first, block by block: what declares entities, is nested deep, has
rows or texts beyond all measure or was packed to fill the memory is refused before the library sees
it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any, BinaryIO, Self
from xml.parsers import expat
from zipfile import ZipFile, ZipInfo

from transduce.reading.problems import BadFileError
from transduce.reading.streams import refuse_bomb

__all__ = ["WatchedArchive"]

_MOST_ROWS = 1 << 20  # what Excel permits
_MOST_STRINGS = 1 << 21  # different texts of all sheets
_MOST_IN_RECORD, _MOST_OUTSIDE = 100_000, 100_000  # elements of XML
_LARGEST = 1 << 24  # bytes of XML of a row or a text; of all the others of a member together
_DEEPEST = 64
_LARGEST_DIRECTORY = 1 << 20  # bytes of the archive's own list of its members
_BLOCK = 1 << 16
_END, _END_64, _END_BYTES, _COMMENT = b"PK\x05\x06", b"PK\x06\x06", 22, 1 << 16
_STRICT = "http://purl.oclc.org/"  # namespaces that the library does not know


class WatchedArchive(ZipFile):
    """An archive whose members are XML. All errors that it finds are BadFileError."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        _require_short_list(file, path)
        super().__init__(file)
        self._path = path
        self._packed = os.fstat(file.fileno()).st_size
        self._seen: dict[str, int] = {}

    def open(  # type: ignore[override]  # it gives what the library asks for, no more
        self,
        name: str | ZipInfo,
        mode: str = "r",
        pwd: bytes | None = None,
        *,
        force_zip64: bool = False,
    ) -> _Watched:
        """A member from its beginning, as long as it said that it is."""
        info = name if isinstance(name, ZipInfo) else self.getinfo(name)
        self._seen[info.filename] = info.file_size
        refuse_bomb(sum(self._seen.values()), self._packed, self._path)
        return _Watched(super().open(info), _Watch(self._path, info.filename))


class _Watched:
    """A member as the library reads it."""

    def __init__(self, member: IO[bytes], watch: _Watch) -> None:
        self._member, self._watch = member, watch

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(_BLOCK), b""))
        data = self._member.read(min(size, _BLOCK))
        self._watch.feed(data)
        return data

    def close(self) -> None:
        self._member.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Watch:
    """Reads a member's XML along. A record is a row of a sheet or an entry of the shared texts."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._depth = self._record_depth = 0  # the second: of the record that is open
        self._inside = self._outside = self._rows = self._strings = self._row = 0
        self._began = 0  # the byte at which the record did
        self._fed = self._recorded = 0  # bytes, in all and of whole records

    def feed(self, data: bytes) -> None:
        """The next bytes, none at the end. Raises BadFileError."""
        try:
            self._parser.Parse(data, not data)
        except expat.ExpatError as error:
            raise self._refused("corrupt file", f"XML in {self._name}; got: {error}") from None
        self._fed += len(data)
        own = self._fed - (self._began if self._record_depth else self._recorded)
        if own > _LARGEST:
            what = "a row or text" if self._record_depth else f"{self._name} beside its rows"
            message = f"at most {_LARGEST >> 20} MiB of XML in {what}; got more"
            raise self._refused("unpacks to too much", message)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            message = f"XML of at most {_DEEPEST} levels in {self._name}; got more"
            raise self._refused("corrupt file", message)
        if self._record_depth:
            self._inside += 1
            self._refuse_many(self._inside, _MOST_IN_RECORD, "elements in a row")
            return
        local = name.rpartition(" ")[2]
        if (self._depth, local) == (3, "row"):
            self._rows += 1
            self._refuse_many(self._rows, _MOST_ROWS, "rows")
            self._check_number(attributes.get("r"))
        elif (self._depth, local) == (2, "si"):
            self._strings += 1
            self._refuse_many(self._strings, _MOST_STRINGS, "different texts")
        else:
            self._outside += 1
            self._refuse_many(self._outside, _MOST_OUTSIDE, f"elements in {self._name}")
            if name.startswith(_STRICT):
                message = "saved as Excel Workbook; got Strict Open XML"
                raise self._refused("unknown format", message)
            return
        self._record_depth, self._inside = self._depth, 0
        self._began = self._parser.CurrentByteIndex

    def _end(self, name: str) -> None:
        if self._depth == self._record_depth:
            self._recorded += self._parser.CurrentByteIndex - self._began
            self._record_depth = 0
        self._depth -= 1

    def _doctype(self, *declared: Any) -> None:
        raise self._refused("corrupt file", f"no document type in {self._name}; got one")

    def _check_number(self, text: str | None) -> None:
        """The library leaves rows out that do not ascend, and makes those that are not there."""
        try:
            number = self._row + 1 if text is None else int(float(text))
        except (ValueError, OverflowError):
            number = 0
        if not self._row < number <= _MOST_ROWS:
            message = f"rows with ascending numbers up to {_MOST_ROWS:,}; got {text!r}"
            raise self._refused("corrupt file", message)
        self._row = number

    def _refuse_many(self, count: int, most: int, what: str) -> None:
        if count > most:
            raise self._refused("unpacks to too much", f"at most {most:,} {what}; got more")

    def _refused(self, reason: str, message: str) -> BadFileError:
        known = message.startswith("saved")
        wording = "be" if known else "have"
        return BadFileError(reason, f"workbook must {wording} {message}", self._path)


def _require_short_list(file: BinaryIO, path: Path) -> None:
    """The list of an archive's members is read at once, by the zip module, before anything else."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _END_BYTES - _COMMENT)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_BYTES:
        return  # no archive, as the zip module will say
    listed = int.from_bytes(tail[place + 12 : place + 16], "little")
    if _END_64 in tail[:place]:  # one whose sizes stand in a record of their own
        at = tail.rfind(_END_64, 0, place)
        listed = int.from_bytes(tail[at + 40 : at + 48], "little")
    if listed > _LARGEST_DIRECTORY:
        message = f"workbook must have at most {_LARGEST_DIRECTORY >> 20} MiB of names of members"
        raise BadFileError("corrupt file", f"{message}; got {listed:,} bytes", path)
