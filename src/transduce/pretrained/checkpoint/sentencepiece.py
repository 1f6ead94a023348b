"""SentencePiece's model files as pipelines of Hugging Face ``tokenizers``.

A file is a protocol buffer (Kudo & Richardson 2018). What matters of it: the pieces with their
scores and types, whether it is a unigram or a BPE model, and how it normalises text. It is
read here field by field: neither the package ``sentencepiece`` nor ``protobuf`` is needed.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from transduce.errors import ModelError
from transduce.untrusted.bounded import MEGABYTE, read_bytes
from transduce.untrusted.charsmap import require_whole
from transduce.untrusted.tokenizer_json import library

__all__ = ["Pieces", "pipeline_of", "read_pieces"]

_SPACE = "\u2581"
_LARGEST = 32 * MEGABYTE  # of a file; the largest vocabularies have 5
_MOST = 1 << 20  # pieces
_LONGEST = 512  # characters of a piece
_MOST_CHARACTERS = 1 << 23
_UNIGRAM, _BPE = 1, 2
_UNKNOWN, _CONTROL, _USER_DEFINED, _BYTE = 2, 3, 4, 6  # types of pieces; 1 is an ordinary one


@dataclass(frozen=True)
class Pieces:
    """A model file: its pieces in order, with scores and types, and how text becomes them."""

    names: list[str]
    scores: list[float]
    types: list[int]
    bpe: bool
    byte_fallback: bool
    normalizer: bytes  # the precompiled map of characters; empty: none
    dummy_prefix: bool  # a space before the text
    one_space: bool  # runs of spaces are one, those at the ends go

    @property
    def unknown(self) -> int:
        """The number of the piece for what is not known."""
        return self.types.index(_UNKNOWN)


def read_pieces(path: Path) -> Pieces:
    """A SentencePiece model. Raises ModelError naming the file."""
    try:
        content = read_bytes(path, _LARGEST)
    except OSError as error:
        raise ModelError(f"{path}: vocabulary must be readable; {error.strerror}") from None
    try:
        pieces = _parse(content)
        _require_sound(pieces)
    except (ValueError, IndexError, TypeError, AttributeError, struct.error) as error:
        reason = f"; {error}" if type(error) is ValueError and str(error) else ""
        raise ModelError(
            f"{path}: vocabulary must be a whole SentencePiece model{reason}"
        ) from None
    return pieces


def _require_sound(pieces: Pieces) -> None:
    """Raise ValueError where pieces are none, or their normalizer leads out of itself."""
    if not all(type(kind) is int for kind in pieces.types) or _UNKNOWN not in pieces.types:
        raise ValueError("it must have a piece for what is not known")
    if not all(map(math.isfinite, pieces.scores)):
        raise ValueError("scores must be finite")
    if max(map(len, pieces.names)) > _LONGEST or sum(map(len, pieces.names)) > _MOST_CHARACTERS:
        raise ValueError(f"pieces must have {_LONGEST} characters at most")
    require_whole(pieces.normalizer)


def pipeline_of(pieces: Pieces, special: Mapping[str, int] | None = None) -> Tokenizer:
    """A pipeline that cuts text as SentencePiece does; ``special`` pieces with their numbers are
    added and found in texts as they are. Raises ModelError for what the library refuses.
    """
    with library("vocabulary must be a SentencePiece model that can be held"):
        return _pipeline_of(pieces, special or {})


def _pipeline_of(pieces: Pieces, special: Mapping[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(_bpe(pieces) if pieces.bpe else _unigram(pieces))
    steps: list[normalizers.Normalizer] = []
    if pieces.normalizer:
        steps.append(normalizers.Precompiled(pieces.normalizer))
    if pieces.one_space:
        steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    if steps:
        tokenizer.normalizer = normalizers.Sequence(steps)
    prepend: Any = "always" if pieces.dummy_prefix else "never"
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(_SPACE, prepend, split=False)
    after: list[decoders.Decoder] = [decoders.Metaspace(_SPACE, prepend)]
    if pieces.byte_fallback:
        after = [decoders.ByteFallback(), *after]
    tokenizer.decoder = decoders.Sequence(after)
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in special])
    return tokenizer


def _unigram(pieces: Pieces) -> models.Unigram:
    scores = [
        _score(*piece) for piece in zip(pieces.names, pieces.scores, pieces.types, strict=True)
    ]
    vocabulary = list(zip(pieces.names, scores, strict=True))
    return models.Unigram(vocabulary, pieces.unknown, pieces.byte_fallback)


def _score(name: str, score: float, kind: int) -> float:
    """Of what no text may become, and of what a text that holds it always becomes."""
    if kind in (_UNKNOWN, _CONTROL):
        return -1e4
    return 100.0 * len(name) if kind == _USER_DEFINED else score


def _bpe(pieces: Pieces) -> models.BPE:
    numbers = {name: number for number, name in enumerate(pieces.names)}
    merges: list[tuple[float, int, int, tuple[str, str]]] = []
    for number, (name, kind) in enumerate(zip(pieces.names, pieces.types, strict=True)):
        if kind not in (_UNKNOWN, _CONTROL, _BYTE):
            for cut in range(1, len(name)):
                left, right = name[:cut], name[cut:]
                if left in numbers and right in numbers:
                    order = (-pieces.scores[number], numbers[left], numbers[right])
                    merges.append((*order, (left, right)))
    ordered = [pair for *_, pair in sorted(merges)]
    return models.BPE(
        numbers,
        ordered,
        unk_token=pieces.names[pieces.unknown],
        fuse_unk=True,
        byte_fallback=pieces.byte_fallback,
    )


# ------------------------------------------------ protocol buffers


def _parse(content: bytes) -> Pieces:
    names: list[str] = []
    scores: list[float] = []
    types: list[int] = []
    trainer: dict[int, Any] = {}
    normalizer: dict[int, Any] = {}
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
    kind = trainer.get(3, _UNIGRAM)
    if kind not in (_UNIGRAM, _BPE):
        raise ValueError
    return Pieces(
        names,
        scores,
        types,
        kind == _BPE,
        bool(trainer.get(35, 0)),
        normalizer.get(2, b""),
        bool(normalizer.get(3, 1)),
        bool(normalizer.get(4, 1)),
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
