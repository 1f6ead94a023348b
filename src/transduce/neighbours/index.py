"""The decoder's states over training pairs, each with the token that came next, in one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from transduce.errors import ModelError, naming
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import named_weights, save_weights
from transduce.untrusted.json import parse_json
from transduce.untrusted.tensors import TensorFile, require_finite

__all__ = ["StateIndex", "fingerprint_of"]

_TYPES = {
    "states": torch.float16,
    "tokens": torch.int32,
    "pairs": torch.int32,
    "steps": torch.int32,
    "texts": torch.uint8,
    "fingerprint": torch.uint8,
}
_MOST_TEXT = 1 << 31  # bytes of all pairs together


@dataclass(frozen=True)
class StateIndex:
    """M states of a model (the "datastore" of Khandelwal et al. 2021).

    ``states`` float16 ``[M, D]`` are the vectors that the output layer read; ``tokens`` int32
    ``[M]`` what came next; ``pairs`` int32 ``[M]`` the pair that each is of, and ``steps`` int32
    ``[M]`` how many tokens of its target stood before. ``texts`` are the pairs, ``fingerprint``
    tells which model's weights the states are of.
    """

    states: Tensor
    tokens: Tensor
    pairs: Tensor
    steps: Tensor
    texts: Sequence[tuple[str, str]]
    fingerprint: bytes

    def __len__(self) -> int:
        return len(self.tokens)

    def save(self, path: str | Path) -> None:
        """Write a safetensors file in one step. Raises OSError."""
        text = json.dumps(list(map(list, self.texts)), ensure_ascii=False).encode()
        tensors = {
            "states": self.states,
            "tokens": self.tokens,
            "pairs": self.pairs,
            "steps": self.steps,
            "texts": torch.frombuffer(bytearray(text), dtype=torch.uint8),
            "fingerprint": torch.frombuffer(bytearray(self.fingerprint), dtype=torch.uint8),
        }
        save_weights(tensors, path)

    @classmethod
    def load(cls, path: str | Path) -> StateIndex:
        """Read what ``save`` wrote; no number in it is believed. Raises ModelError."""
        with TensorFile(path) as file:
            kinds = {name: entry.type for name, entry in file.entries.items()}
            if kinds.keys() != _TYPES.keys():
                raise ModelError(
                    f"{path}: index must hold {', '.join(_TYPES)}, as `transduce index` writes "
                    f"them; got {', '.join(kinds) or 'nothing'}"
                )
            for name, kind in _TYPES.items():
                if kinds[name] != kind:
                    raise ModelError(f"{path}: {name} must be {kind}; got {kinds[name]}")
            shapes = file.shapes
            count = shapes["tokens"]
            if len(count) != 1 or not count[0]:
                raise ModelError(f"{path}: index must hold at least one state; got {list(count)}")
            if len(shapes["states"]) != 2 or shapes["states"][:1] != count:
                raise ModelError(
                    f"{path}: states must be [{count[0]}, D]; got {list(shapes['states'])}"
                )
            if shapes["pairs"] != count or shapes["steps"] != count:
                raise ModelError(f"{path}: pairs and steps must have {count[0]} entries each")
            if len(shapes["texts"]) != 1 or shapes["texts"][0] > _MOST_TEXT:
                raise ModelError(f"{path}: texts must have {_MOST_TEXT:,} bytes at most")
            read = {name: file.read(name) for name in _TYPES}
        with naming(path):
            require_finite("states", read["states"])
        texts = _texts(path, bytes(read["texts"].numpy()))
        pairs, tokens, steps = read["pairs"], read["tokens"], read["steps"]
        if pairs.min() < 0 or pairs.max() >= len(texts):
            raise ModelError(f"{path}: pairs must be among its {len(texts):,} texts")
        if tokens.min() < 0 or steps.min() < 0:
            raise ModelError(f"{path}: tokens and steps must be at least 0")
        mark = bytes(read["fingerprint"].numpy())
        return cls(read["states"], tokens, pairs, steps, texts, mark)

    def require_of(self, model: Seq2Seq, path: str | Path) -> None:
        """Raise ModelError where the states are of another model than this one."""
        width, most = self.states.shape[1], int(self.tokens.max())
        if self.fingerprint != fingerprint_of(model):
            raise ModelError(
                f"{path}: index must be of this model's weights; got one of another model: "
                "`transduce index` makes it anew"
            )
        if width != model.decoder.width or most >= model.vocabulary:
            raise ModelError(
                f"{path}: states must be of width {model.decoder.width} and tokens below "
                f"{model.vocabulary:,}; got {width} and {most:,}"
            )


def fingerprint_of(model: Seq2Seq) -> bytes:
    """SHA-256 of all weights by name, which training on or shrinking changes."""
    total = hashlib.sha256()
    for name, tensor in sorted(named_weights(model).items()):
        total.update(f"{name} {list(tensor.shape)}".encode())
        total.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().data)
    return total.digest()


def _texts(path: str | Path, content: bytes) -> list[tuple[str, str]]:
    try:
        values = parse_json(content.decode())
    except ValueError as error:
        raise ModelError(f"{path}: texts must be JSON; {error}") from None
    if not isinstance(values, list):
        raise ModelError(f"{path}: texts must be a list of pairs")
    pairs = []
    for value in values:
        if not isinstance(value, list) or len(value) != 2 or not _both_text(value):
            raise ModelError(f"{path}: texts must be a list of pairs of texts")
        pairs.append((value[0], value[1]))
    return pairs


def _both_text(value: list[object]) -> bool:
    return all(isinstance(side, str) for side in value)
