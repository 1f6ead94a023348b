"""safetensors: what is let through is what the package itself reads."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch

from fuzz.harness import Files, Harness, WrongAnswerError, lay
from fuzz.mutations.tensors import tensor_file
from transduce.errors import ModelError
from transduce.untrusted.tensors import read_tensors, require_finite


def _samples() -> list[Files]:
    torch.manual_seed(0)
    tensors = {
        "a.weight": torch.randn(3, 4),
        "a.bias": torch.randn(3),
        "half": torch.randn(2, 2).half(),
        "brain": torch.randn(2, 3).bfloat16(),
        "numbers": torch.arange(5),
        "bytes": torch.arange(4, dtype=torch.uint8),
        "truths": torch.tensor([True, False]),
        "nothing": torch.zeros(0, 7),
        "one": torch.tensor(2.5),
    }
    only = {"w": torch.randn(2, 2)}
    return [
        {"a.safetensors": safetensors.torch.save(tensors, metadata={"format": "pt"})},
        {"a.safetensors": safetensors.torch.save(only)},
    ]


def feed(files: Files, folder: Path) -> object:
    """All tensors of a file."""
    lay(files, folder)
    found = read_tensors(folder / "a.safetensors")
    theirs = safetensors.torch.load(files["a.safetensors"])
    if found.keys() != theirs.keys():
        raise WrongAnswerError("other names than the package reads")
    for name, tensor in found.items():
        other = theirs[name]
        same = tensor.dtype == other.dtype and tensor.shape == other.shape
        if (
            not same
            or tensor.flatten().view(torch.uint8).ne(other.flatten().view(torch.uint8)).any()
        ):
            raise WrongAnswerError(f"{name}: another tensor than the package reads")
    odd = 0
    for name, tensor in found.items():
        try:
            require_finite(name, tensor)
        except ModelError:
            odd += 1
        else:
            if not torch.isfinite(tensor.double()).all():
                raise WrongAnswerError(f"{name}: numbers must be finite")
    return len(found), odd > 0


HARNESS = Harness("safetensors", _samples, {"*": tensor_file}, feed, quick=600)
