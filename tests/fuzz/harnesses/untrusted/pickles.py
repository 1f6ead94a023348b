"""Pickled weights as data: what is let through is what torch itself reads."""

from __future__ import annotations

import io
from pathlib import Path

import torch

from fuzz.harness import Files, Harness, WrongAnswerError, lay
from fuzz.mutations.pickled import pickled, pickled_archive
from transduce.untrusted.pickles import PickledFile


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
    try:
        theirs = torch.load(io.BytesIO(files["a.bin"]), weights_only=True)
    except Exception:  # it refuses more, or other things, than we do
        theirs = None
    if isinstance(theirs, dict) and theirs.keys() == found.keys():
        for name, tensor in found.items():
            other = theirs[name]
            alike = tensor.shape == other.shape and tensor.dtype == other.dtype
            if not alike or not torch.equal(tensor.nan_to_num(), other.nan_to_num()):
                raise WrongAnswerError(f"{name}: another tensor than torch reads")
    return len(found), theirs is None


HARNESSES = [
    Harness("pickle-zip", lambda: [_saved(True)], {"*": pickled_archive}, feed, quick=200),
    Harness("pickle-old", lambda: [_saved(False)], {"*": pickled}, feed, quick=200),
]
