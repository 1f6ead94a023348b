"""Native passes over the logits for the training loss."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.errors import EngineError
from transduce.kernels.library import has_library, load_library

__all__ = ["has_native_loss", "loss_gradient", "normalize_rows"]


def has_native_loss(logits: Tensor) -> bool:
    """Whether the kernels are here and made for these numbers."""
    if logits.device.type != "cpu" or logits.dtype not in (torch.float32, torch.bfloat16):
        return False
    return has_library()


def normalize_rows(logits: Tensor) -> tuple[Tensor, Tensor]:
    """``log Σ e^z`` and the mean of each row: contiguous ``[N, V]`` to float32 ``[N]`` twice."""
    rows, size = logits.shape
    normalizers, means = torch.empty(rows), torch.empty(rows)
    failed = load_library().functions.transduce_loss_rows(
        logits.dtype == torch.bfloat16, torch.get_num_threads(), logits.data_ptr(), rows, size,
        normalizers.data_ptr(), means.data_ptr(),
    )  # fmt: skip
    _raise_if(failed)
    return normalizers, means


def loss_gradient(
    logits: Tensor, targets: Tensor, normalizers: Tensor, smoothing: float, scale: float
) -> Tensor:
    """``scale · (softmax(z) - q)``, 0 where the target is PADDING; dtype and shape of logits."""
    rows, size = logits.shape
    gradient = torch.empty_like(logits)
    failed = load_library().functions.transduce_loss_gradient(
        logits.dtype == torch.bfloat16, torch.get_num_threads(), logits.data_ptr(),
        targets.data_ptr(), normalizers.data_ptr(), rows, size, smoothing, scale,
        gradient.data_ptr(),
    )  # fmt: skip
    _raise_if(failed)
    return gradient


def _raise_if(failed: int) -> None:
    if failed:
        raise EngineError("the loss failed: threads could not be started")
