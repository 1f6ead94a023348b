"""What teachers said to all pairs of a corpus, kept in files that are mapped.

A folder holds ``teacher.tokens`` (uint16 or uint32, by the size of the vocabulary) and
``teacher.log_probs`` (float16), both ``[N, K]``, little-endian: K tokens for each of the N target
tokens of the corpus, in its order. ``teacher.json``, written last, makes them valid.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transduce.batches.padding import row_places
from transduce.batches.token_files import (
    Integers,
    TokenFile,
    digest_of,
    holds_symbols,
    mapped,
    token_type,
)
from transduce.errors import ModelError
from transduce.files import write_bytes
from transduce.untrusted.json import read_object

__all__ = ["TeachingFiles", "Told"]

_MANIFEST = "teacher.json"
_TOKENS, _LOG_PROBS = "teacher.tokens", "teacher.log_probs"
_VERSION = 1
_FLOAT = np.dtype("<f2")

Told = tuple[Integers, NDArray[np.floating[Any]]]  # tokens and log-probabilities, ``[n, K]``


@dataclass(frozen=True, slots=True)
class TeachingFiles:
    """A ``Teaching``: ``tokens`` and ``log_probs`` ``[N, K]``; int64 ``starts`` and ``lengths``
    ``[P]`` say which rows are a pair's.
    """

    tokens: Integers
    log_probs: NDArray[np.float16]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def rows(self, indices: Sequence[int], width: int) -> tuple[Tensor, Tensor]:
        """Of some pairs the likeliest tokens, int64 ``[B, T, K]``, and their log-probabilities,
        float32 ``[B, T, K]``; no pairs give one row of zeros, as a batch without pairs has.
        """
        numbers = np.asarray(indices, dtype=np.int64)
        K, lengths = self.tokens.shape[1], self.lengths[numbers]
        shape = max(1, len(numbers)), width, K
        tokens, log_probs = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
        if len(numbers):
            places = row_places(self.starts[numbers], lengths)
            real = np.arange(width) < lengths[:, None]
            tokens[real], log_probs[real] = self.tokens[places], self.log_probs[places]
        return torch.from_numpy(tokens), torch.from_numpy(log_probs)

    @classmethod
    def write(
        cls,
        folder: Path,
        fingerprint: str,
        lengths: Integers,
        vocabulary: int,
        outputs: int,
        told: Iterable[Told],
    ) -> None:
        """Write what was ``told`` of the pairs, in their order. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _MANIFEST).unlink(missing_ok=True)  # from here on the folder is not valid
        layout = _layout(lengths, vocabulary, outputs)
        kind = np.dtype(layout["type"])
        with TokenFile(folder / _TOKENS) as tokens, TokenFile(folder / _LOG_PROBS) as log_probs:
            for symbols, likely in told:
                tokens.append(np.ascontiguousarray(symbols, kind))
                log_probs.append(np.ascontiguousarray(likely, _FLOAT))
        digests = [tokens.digest, log_probs.digest]
        state = {"version": _VERSION, "fingerprint": fingerprint, **layout, "digests": digests}
        write_bytes(folder / _MANIFEST, json.dumps(state, indent=1).encode())

    @classmethod
    def open(
        cls, folder: Path, fingerprint: str, lengths: Integers, vocabulary: int, outputs: int
    ) -> TeachingFiles | None:
        """Map what was written with the same fingerprint for targets of these ``lengths`` ``[P]``.

        None where there is nothing, or something that is damaged, unfinished or not to be believed.
        """
        layout = _layout(lengths, vocabulary, outputs)
        try:
            state = read_object(folder / _MANIFEST)
            if state["version"] != _VERSION or state["fingerprint"] != fingerprint:
                return None
            if any(state[key] != value for key, value in layout.items()):
                return None
            if [digest_of(folder / name) for name in (_TOKENS, _LOG_PROBS)] != state["digests"]:
                return None
            shape = layout["rows"], layout["outputs"]
            tokens = _mapped(folder / _TOKENS, np.dtype(layout["type"]), shape)
            log_probs = _mapped(folder / _LOG_PROBS, _FLOAT, shape)
        except (ModelError, OSError, ValueError, KeyError, TypeError):
            return None
        if not holds_symbols(tokens, vocabulary):
            return None
        return cls(tokens, log_probs, _starts(lengths), lengths.astype(np.int64))


def _layout(lengths: Integers, vocabulary: int, outputs: int) -> dict[str, Any]:
    return {
        "type": token_type(vocabulary).str,
        "rows": int(lengths.sum(dtype=np.int64)),
        "outputs": min(outputs, vocabulary),
    }


def _starts(lengths: Integers) -> NDArray[np.int64]:
    return np.cumsum(lengths, dtype=np.int64) - lengths


def _mapped(path: Path, kind: np.dtype[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Raises ValueError where the file is not of this size."""
    if path.stat().st_size != kind.itemsize * shape[0] * shape[1]:
        raise ValueError(f"{path} must hold {shape} numbers")
    return mapped(path, kind)[0].reshape(shape)
