"""Pickled weights as data: what is let through is what torch itself reads."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import torch

from fuzz.harness import Files, Harness, WrongAnswerError, lay
from fuzz.mutations.pickled import pickled, pickled_archive
from transduce.untrusted.pickles import PickledFile

_LEFT = itertools.count(1)


def _saved(archive: bool) -> Files:
    torch.manual_seed(0)
    square = torch.randn(3, 3)
    tensors = {
        "a": torch.randn(3, 5),
        "b": torch.arange(6).view(2, 3),
        "c": torch.randn(2, 2).half(),
        "turned": torch.randn(3, 5).T,
        "part": torch.randn(8, 3)[2:5],
        "one": square,
        "same": square,
        "none": torch.zeros(0, 4),
    }
    out = io.BytesIO()
    torch.save(tensors, out, _use_new_zipfile_serialization=archive)
    return {"a.bin": out.getvalue()}


def feed(files: Files, folder: Path) -> object:
    """All tensors of a file."""
    lay(files, folder)
    file = PickledFile(folder / "a.bin")
    try:
        found = {name: file.read(name) for name in file.shapes}
    finally:
        file.close()
    theirs = _theirs(files["a.bin"])
    if theirs is not None and theirs.keys() == found.keys():
        for name, tensor in found.items():
            if not _alike(tensor, theirs[name]) and _alike(
                theirs[name], (_theirs(files["a.bin"]) or theirs)[name]
            ):
                raise WrongAnswerError(f"{name}: another tensor than torch reads")
    return len(found), theirs is None


def _theirs(data: bytes) -> dict[str, torch.Tensor] | None:
    """What torch reads; None where it refuses more, or other things, than we do.

    Of an archive whose entries disagree it may give memory that nothing was read into, which is
    another each time: hence the numbers that are left behind here, and a second look.
    """
    left = next(_LEFT)
    for size in (2, 4, 6, 8, 15, 24):
        torch.full((size,), left)
    try:
        read = torch.load(io.BytesIO(data), weights_only=True)
    except Exception:
        return None
    return read if isinstance(read, dict) else None


def _alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    same = one.shape == other.shape and one.dtype == other.dtype
    return same and torch.equal(one.nan_to_num(), other.nan_to_num())


HARNESSES = [
    Harness("pickle-zip", lambda: [_saved(True)], {"*": pickled_archive}, feed, quick=200),
    Harness("pickle-old", lambda: [_saved(False)], {"*": pickled}, feed, quick=200),
]
