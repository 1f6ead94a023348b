"""What a model runs on."""

from __future__ import annotations

import os

import torch

from transduce.errors import ModelError

__all__ = ["choose_device"]


def choose_device(name: str) -> torch.device:
    """``auto`` is the GPU where there is one, each of torchrun's processes its own.

    Raises ModelError for a device that is not here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        return torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise ModelError(f"device must be auto, cpu or one that is here; got {name!r}") from None
    return device
