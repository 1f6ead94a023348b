"""An adapter as a file of tensors and back. No number in a file is believed unseen."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from transduce.adapters.adapter import Adapter
from transduce.adapters.low_rank_change import LARGEST_RANK, LowRankChange
from transduce.errors import ModelError, naming
from transduce.files import replacing
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import write_weights
from transduce.untrusted.tensors import TensorFile, require_finite

__all__ = ["base_of_adapter", "read_adapter", "write_adapter"]

_KIND = "transduce-low-rank-1"
_SUM = re.compile("[0-9a-f]{64}")
_RANK = re.compile("[1-9][0-9]{0,3}")
_SHOWN = 12  # digits of a checksum in a message


def write_adapter(adapter: Adapter, path: Path) -> None:
    """Write the file in one step: a kill leaves the one that was there. Raises OSError."""
    about = {
        "kind": _KIND,
        "rank": str(adapter.change.rank),
        "base": adapter.base,
        "numbers": _sum_of(adapter.numbers),
    }
    with replacing(path) as aside:
        write_weights(adapter.numbers, aside, about)


def read_adapter(path: Path, model: Seq2Seq, base: str) -> Adapter:
    """The adapter of a ``model`` whose file of weights has the SHA-256 ``base``.

    Raises ModelError naming the file: where it is none of ``transduce adapt``, is damaged, or is of
    another model.
    """
    with TensorFile(path) as file, naming(path):
        change, told = _about(file.metadata)
        if told != base:
            raise ModelError(
                f"adapter must be one of this model (weights {base[:_SHOWN]}…); got one of another "
                f"({told[:_SHOWN]}…)"
            )
        _require_alike(change.shapes(model), file)
        numbers = {name: file.read(name) for name in file.entries}
        for name, tensor in numbers.items():
            require_finite(name, tensor)
        if _sum_of(numbers) != file.metadata.get("numbers"):
            raise ModelError(
                "adapter must be the file that was saved; its numbers have another checksum: "
                "copy it again"
            )
    return Adapter(base, change, numbers)


def base_of_adapter(path: Path) -> str:
    """The SHA-256 of the weights that an adapter is for. Raises ModelError naming the file."""
    with TensorFile(path) as file, naming(path):
        return _about(file.metadata)[1]


def _about(metadata: Mapping[str, str]) -> tuple[LowRankChange, str]:
    """The change and its base."""
    if metadata.get("kind") != _KIND:
        raise ModelError("adapter must be a file that `transduce adapt` wrote; got another")
    rank, base = metadata.get("rank", ""), metadata.get("base", "")
    if not _RANK.fullmatch(rank) or int(rank) > LARGEST_RANK:
        raise ModelError(f"rank must be a number from 1 to {LARGEST_RANK}; got {rank[:20]!r}")
    if not _SUM.fullmatch(base):
        raise ModelError(f"base must be a checksum of 64 digits; got {base[:70]!r}")
    return LowRankChange(int(rank)), base


def _require_alike(shapes: Mapping[str, tuple[int, int]], file: TensorFile) -> None:
    if shapes.keys() != file.entries.keys():
        odd = min(shapes.keys() ^ file.entries.keys())
        verb = "hold" if odd in shapes else "not hold"
        raise ModelError(f"adapter must {verb} {odd}, as the model is built")
    for name, shape in shapes.items():
        entry = file.entries[name]
        if entry.type != torch.float32 or entry.shape != shape:
            got = f"{str(entry.type).removeprefix('torch.')} {list(entry.shape)}"
            raise ModelError(f"{name} must be float32 {list(shape)}; got {got}")


def _sum_of(numbers: Mapping[str, Tensor]) -> str:
    """SHA-256 over the bytes of all tensors, by name."""
    found = hashlib.sha256()
    for name in sorted(numbers):
        found.update(numbers[name].detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
