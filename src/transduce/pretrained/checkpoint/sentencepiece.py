"""SentencePiece's model files.

A file is a protocol buffer (Kudo & Richardson 2018). What matters of it: the pieces with their
scores and types, whether it is a unigram or a BPE model, and how it normalises text. It is
read here field by field: neither the package ``sentencepiece`` nor ``protobuf`` is needed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from transduce.errors import ModelError
from transduce.tokenization.pieces.piece_model import Pieces
from transduce.tokenization.pieces.piece_pipeline import PiecePipeline
from transduce.untrusted.bounded import MEGABYTE, read_bytes

__all__ = ["Pieces", "pipeline_of", "read_pieces"]

_LARGEST = 32 * MEGABYTE  # of a file; the largest vocabularies have 5
_MOST = 1 << 20  # pieces
_UNIGRAM, _BPE = 1, 2
_KINDS = {3: "whole words", 4: "characters"}  # of models that no published network reads


def read_pieces(path: Path) -> Pieces:
    """A SentencePiece model. Raises ModelError naming the file."""
    try:
        content = read_bytes(path, _LARGEST)
    except OSError as error:
        raise ModelError(f"{path}: vocabulary must be readable; {error.strerror}") from None
    try:
        pieces = _parse(content)
        pieces.require_sound()
    except (ValueError, IndexError, TypeError, AttributeError, struct.error) as error:
        reason = f"; {error}" if type(error) is ValueError and str(error) else ""
        raise ModelError(
            f"{path}: vocabulary must be a whole SentencePiece model{reason}"
        ) from None
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    return pieces


def pipeline_of(pieces: Pieces, special: Mapping[str, int] | None = None) -> PiecePipeline:
    """A pipeline that cuts text as SentencePiece does; ``special`` tokens with their numbers are
    added and found in texts as they are. Raises ModelError for what it cannot hold.
    """
    tokens = (special or {}).items()
    added = {n: AddedToken(name, normalized=False, special=True) for name, n in tokens}
    return PiecePipeline(pieces, added)


# ------------------------------------------------ protocol buffers


def _parse(content: bytes) -> Pieces:
    names: list[str] = []
    scores: list[float] = []
    types: list[int] = []
    trainer: dict[int, Any] = {}
    normalizer: dict[int, Any] = {}
    speller: dict[int, Any] = {}
    for number, value in _fields(content):
        if number == 1:
            if len(names) == _MOST:
                raise ValueError(f"it must have {_MOST:,} pieces at most")
            piece = dict(_fields(value))
            names.append(piece[1].decode() if 1 in piece else "")
            scores.append(struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0)
            types.append(piece.get(3, 1))
        elif number == 2:
            trainer = dict(_fields(value))
        elif number == 3:
            normalizer = dict(_fields(value))
        elif number == 5:
            speller = dict(_fields(value))
    kind = trainer.get(3, _UNIGRAM)
    if kind not in (_UNIGRAM, _BPE):
        of = _KINDS.get(kind, f"the unknown kind {kind}")
        raise ModelError(f"vocabulary must be a unigram or BPE model; got one of {of}")
    return Pieces(
        tuple(names),
        tuple(scores),
        tuple(types),
        bpe=kind == _BPE,
        byte_fallback=bool(trainer.get(35, 0)),
        charsmap=normalizer.get(2, b""),
        dummy_prefix=bool(normalizer.get(3, 1)),
        one_space=bool(normalizer.get(4, 1)),
        escape=bool(normalizer.get(5, 1)),
        suffix=bool(trainer.get(24, 0)),
        spelling_charsmap=speller.get(2, b""),
    )


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """Each field's number and value: an integer, or bytes. Raises ValueError, IndexError."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        wire = key & 7
        if wire == 0:
            value, place = _varint(content, place)
            yield key >> 3, value
            continue
        size = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            size, place = _varint(content, place)
        if size is None or place + size > len(content):
            raise ValueError
        yield key >> 3, content[place : place + size]
        place += size


def _varint(content: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
        if shift >= 64:
            raise ValueError("its numbers must have 64 bits at most")
