"""A shortlist as a file of tensors and back. No number in a file is believed unseen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from transduce.errors import ModelError
from transduce.files import Change, place
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import write_weights
from transduce.search import Shortlist
from transduce.untrusted.tensors import TensorFile

__all__ = ["SHORTLIST", "read_shortlist", "shortlist_file", "shortlist_of", "write_shortlist"]

SHORTLIST = "shortlist.safetensors"

_TYPES = {"always": torch.int32, "offsets": torch.int64, "tokens": torch.int32}
_UNLISTED = "unlisted"  # not in every file
_MAY_BE = {**_TYPES, _UNLISTED: torch.float32}


def shortlist_file(folder: Path) -> list[str]:
    """The name of the file in a model directory; none where it has none."""
    return [SHORTLIST] if place(folder, SHORTLIST).is_file() else []


def shortlist_of(folder: Path, source: int, model: Seq2Seq) -> Shortlist | None:
    """That of the directory of ``model``, which reads so many symbols; None without one.

    Raises ModelError.
    """
    if not shortlist_file(folder):
        return None
    target, width = model.output.weight.shape
    return read_shortlist(place(folder, SHORTLIST), source, target, width)


def write_shortlist(change: Change, shortlist: Shortlist | None) -> None:
    """Write the file; None: there is none any more. Raises OSError."""
    if shortlist is None:
        change.remove(SHORTLIST)
        return
    arrays = {name: getattr(shortlist, name).astype(np.int64) for name in _TYPES}
    tensors = {name: torch.from_numpy(array).to(_TYPES[name]) for name, array in arrays.items()}
    if shortlist.unlisted is not None:
        tensors[_UNLISTED] = torch.from_numpy(shortlist.unlisted)
    write_weights(tensors, change.path(SHORTLIST))


def read_shortlist(path: Path, source: int, target: int, width: int) -> Shortlist:
    """Read what :func:`write_shortlist` wrote, of a model with so many source and target symbols
    whose output layer reads vectors of this width.

    Raises ModelError naming the file and what is wrong in it.
    """
    with TensorFile(path) as file:
        if file.entries.keys() not in (_TYPES.keys(), _MAY_BE.keys()):
            raise _wrong(path, f"tensors must be {', '.join(_TYPES)}; got {_named(file.entries)}")
        for name, entry in file.entries.items():
            if entry.type != _MAY_BE[name] or len(entry.shape) != 1:
                raise _wrong(
                    path,
                    f"{name} must be numbers of type {_said(_MAY_BE[name])}; "
                    f"got {_said(entry.type)} {list(entry.shape)}",
                )
        count, found = file.entries["tokens"].shape[0], file.entries["offsets"].shape[0]
        if found != source + 1:
            raise _wrong(path, f"offsets must be {source + 1}, as its source symbols; got {found}")
        always, offsets, tokens = (file.read(name) for name in _TYPES)
        unlisted = file.read(_UNLISTED) if _UNLISTED in file.entries else None
    if offsets[0] != 0 or offsets[-1] != count or bool((offsets.diff() < 0).any()):
        raise _wrong(path, f"offsets must rise from 0 to {count}, the number of tokens")
    for name, numbers in (("always", always), ("tokens", tokens)):
        _require_known(path, name, numbers, target)
    if unlisted is not None:
        if len(unlisted) != width + 1:
            raise _wrong(
                path,
                f"{_UNLISTED} must be {width + 1} numbers, as the model is wide, and one; "
                f"got {len(unlisted)}",
            )
        if not bool(unlisted.isfinite().all()):
            raise _wrong(path, f"{_UNLISTED} must be finite numbers; got NaN or infinity")
    others = None if unlisted is None else unlisted.numpy()
    return Shortlist(offsets.numpy(), tokens.numpy(), always.numpy(), target, others)


def _require_known(path: Path, name: str, numbers: Tensor, size: int) -> None:
    wrong = numbers[(numbers < 0) | (numbers >= size)]
    if len(wrong):
        raise _wrong(path, f"{name} must be at least 0 and below {size}; got {int(wrong[0])}")


def _wrong(path: Path, reason: str) -> ModelError:
    return ModelError(f"{path}: {reason}")


def _named(names: object) -> str:
    return ", ".join(sorted(names)) or "none"  # type: ignore[call-overload]


def _said(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")
