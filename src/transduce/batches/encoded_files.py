"""The files of an encoded corpus: written whole, and opened as they were written or not at all.

A folder holds, for each side, ``SIDE.tokens`` (uint16 or uint32, by the size of
the vocabulary, each sentence with its END) and ``SIDE.lengths`` (int32, END
counted), little-endian; ``corpus.json``, with their checksums, is written last and makes it valid.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transduce.batches.token_files import (
    Integers,
    TokenFile,
    digest_of,
    holds_symbols,
    lengths_file,
    mapped,
    tokens_file,
)
from transduce.errors import ModelError
from transduce.files import write_bytes
from transduce.untrusted.json import read_object

__all__ = ["SIDES", "Counts", "Integers", "MappedSide", "Sink", "read_folder", "write_folder"]

Sink = Callable[[Integers], object]

SIDES = ("source", "target")
_MANIFEST = "corpus.json"
_VERSION = 3
_TYPES = ("<u2", "<u4")


@dataclass(frozen=True, slots=True)
class MappedSide:
    """Tokens ``[N]``, mapped, int32 lengths ``[P]``, and what maps the tokens, where they are."""

    tokens: Integers
    lengths: NDArray[np.int32]
    mapping: mmap.mmap | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Pairs left out, sentences cut, by option; pairs of each part."""

    filtered: dict[str, int]
    truncated: dict[str, int]
    parts: tuple[int, ...]


# What sends all tokens of each side to its sink, and gives the lengths of both and what it counted.
Encode = Callable[[Sequence[Sink]], tuple[Sequence[NDArray[np.int32]], Counts]]


def write_folder(
    folder: Path, types: Sequence[np.dtype[Any]], fingerprint: str, encode: Encode
) -> None:
    """Write what ``encode`` gives. Raises OSError, and what ``encode`` raises."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MANIFEST).unlink(missing_ok=True)  # from here on the folder is not valid
    files = (TokenFile(tokens_file(folder, side)) for side in SIDES)
    with next(files) as source, next(files) as target:
        lengths, counts = encode((source.append, target.append))
    sides = {}
    for side, kind, own, tokens in zip(SIDES, types, lengths, (source, target), strict=True):
        with TokenFile(lengths_file(folder, side)) as file:
            file.append(own.astype("<i4", copy=False))
        sides[side] = {
            "type": kind.str,
            "pairs": len(own),
            "tokens": int(own.sum(dtype=np.int64)),
            "digests": [tokens.digest, file.digest],
        }
    state = {
        "version": _VERSION,
        "fingerprint": fingerprint,
        "sides": sides,
        "filtered": counts.filtered,
        "truncated": counts.truncated,
        "parts": counts.parts,
    }
    write_bytes(folder / _MANIFEST, json.dumps(state, indent=1).encode())


def read_folder(
    folder: Path, fingerprint: str, sizes: Sequence[int]
) -> tuple[list[MappedSide], Counts] | None:
    """Map what was written with the same fingerprint; ``sizes`` are those of the vocabularies.

    None where there is nothing, or something that is damaged, unfinished or not to be believed.
    """
    try:
        state = read_object(folder / _MANIFEST)
        if state["version"] != _VERSION or state["fingerprint"] != fingerprint:
            return None
        sides = [
            _mapped(folder, side, state["sides"][side], size)
            for side, size in zip(SIDES, sizes, strict=True)
        ]
        counts = Counts(
            _counted(state["filtered"]), _counted(state["truncated"]), _parts(state["parts"])
        )
        if {len(side.lengths) for side in sides} != {sum(counts.parts)}:
            return None
    except (ModelError, OSError, ValueError, KeyError, TypeError):
        return None
    return sides, counts


def _mapped(folder: Path, side: str, state: Mapping[str, Any], size: int) -> MappedSide:
    """Raises ValueError where the files are not what was written, whatever ``state`` says."""
    if state["type"] not in _TYPES:
        raise ValueError(f"type must be one of {', '.join(_TYPES)}")
    kind = np.dtype(state["type"])
    paths = tokens_file(folder, side), lengths_file(folder, side)
    pairs, count = state["pairs"], state["tokens"]
    if [path.stat().st_size for path in paths] != [kind.itemsize * count, 4 * pairs]:
        raise ValueError(f"{side} must have {pairs} sentences of {count} tokens")
    if [digest_of(path) for path in paths] != state["digests"]:
        raise ValueError(f"{side} must be what was written")
    lengths = np.fromfile(paths[1], dtype="<i4")
    if pairs and (lengths.min() < 1 or lengths.sum(dtype=np.int64) != count):
        raise ValueError(f"{paths[1]} must be of {count} tokens")
    if not count:
        return MappedSide(np.empty(0, kind), lengths, None)
    tokens, mapping = mapped(paths[0], kind)
    if not holds_symbols(tokens, size):
        raise ValueError(f"{paths[0]} must hold symbols of the vocabulary")
    return MappedSide(tokens, lengths, mapping)


def _counted(values: Any) -> dict[str, int]:
    if not isinstance(values, dict):
        raise ValueError("counts must have names")
    return dict(zip(values, _parts(list(values.values())), strict=True))


def _parts(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list) or not all(type(n) is int and n >= 0 for n in values):
        raise ValueError("counts must be whole numbers")
    return tuple(values)
