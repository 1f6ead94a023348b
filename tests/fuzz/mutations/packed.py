"""Packed files: damaged as they are, or unpacked, damaged inside and packed again whole."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from random import Random

import zstandard

from fuzz.harness import Mutation
from fuzz.mutations.octets import octets

__all__ = ["in_gzip", "in_zip", "in_zstandard", "zipped"]


def in_gzip(inner: Mutation) -> Mutation:
    """Of one or several members, sometimes a bomb."""

    def pack(chance: Random, data: bytes) -> bytes:
        whole = gzip.compress(data, chance.choice([0, 1, 9]), mtime=0)
        if chance.random() < 0.1:
            whole += gzip.compress(b"x" * (chance.choice([1, 6]) << 20), 9, mtime=0)
        return whole * (2 if chance.random() < 0.1 else 1)

    return _inside(lambda data: gzip.decompress(data), pack, inner)


def in_zstandard(inner: Mutation) -> Mutation:
    """Frames with and without their size and checksum, sometimes a bomb or a skippable one."""

    def pack(chance: Random, data: bytes) -> bytes:
        packer = zstandard.ZstdCompressor(
            write_content_size=chance.random() < 0.5, write_checksum=chance.random() < 0.5
        )
        whole = packer.compress(data)
        if chance.random() < 0.1:
            whole += packer.compress(b"x" * (chance.choice([1, 6]) << 20))
        if chance.random() < 0.1:
            whole = b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + whole
        return whole * (2 if chance.random() < 0.1 else 1)

    def unpack(data: bytes) -> bytes:
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read(1 << 20)

    return _inside(unpack, pack, inner)


def _inside(
    unpack: Callable[[bytes], bytes], pack: Callable[[Random, bytes], bytes], inner: Mutation
) -> Mutation:
    def mutate(chance: Random, data: bytes) -> bytes:
        if chance.random() < 0.5:
            return octets(chance, data)
        try:
            plain = unpack(data)
        except (OSError, EOFError, zlib.error, zstandard.ZstdError):
            return octets(chance, data)
        return pack(chance, inner(chance, plain))

    return mutate


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive, always the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def in_zip(inner: Mutation) -> Mutation:
    """One member damaged, gone, doubled, renamed or packed; or the archive's own bytes."""

    def mutate(chance: Random, data: bytes) -> bytes:
        if chance.random() < 0.35:
            return octets(chance, data)
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = [(info.filename, archive.read(info)) for info in archive.infolist()]
        except Exception:  # whatever: it is damaged already
            return octets(chance, data)
        if not members:
            return octets(chance, data)
        place = chance.randrange(len(members))
        name, content = members[place]
        match chance.randrange(8):
            case 0:
                del members[place]
            case 1:
                members.append((name, content))
            case 2:
                other = chance.choice(members)[0]
                members[place] = (chance.choice([other, "../x", "/x", "", "a" * 300]), content)
            case _:
                members[place] = (name, inner(chance, content))
        out = io.BytesIO()
        method = zipfile.ZIP_DEFLATED if chance.random() < 0.2 else zipfile.ZIP_STORED
        with zipfile.ZipFile(out, "w", method) as archive:
            for name, content in members:
                archive.writestr(zipfile.ZipInfo(name or "x"), content, method)
        return out.getvalue()

    return mutate
