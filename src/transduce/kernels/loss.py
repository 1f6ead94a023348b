"""Native passes over the logits for the training loss."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.errors import EngineError
from transduce.kernels.border import NAMELESS, raise_refusal
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
    functions = load_library().functions
    if functions.loss_rows(
        logits.dtype == torch.bfloat16, torch.get_num_threads(), _whole(logits), rows, size,
        normalizers.data_ptr(), means.data_ptr(),
    ):  # fmt: skip
        raise_refusal(functions)
    return normalizers, means


def loss_gradient(
    logits: Tensor, targets: Tensor, normalizers: Tensor, smoothing: float, scale: float
) -> Tensor:
    """``scale · (softmax(z) - q)``, 0 where the target is PADDING; dtype and shape of logits."""
    rows, size = logits.shape
    if targets.shape != (rows,) or normalizers.shape != (rows,) or targets.dtype != torch.int64:
        raise EngineError(f"targets and normalizers must be {rows}, one for each row of logits")
    gradient, functions = torch.empty_like(logits), load_library().functions
    if functions.loss_gradient(
        logits.dtype == torch.bfloat16, torch.get_num_threads(), _whole(logits), _whole(targets),
        _whole(normalizers), rows, size, smoothing, scale, gradient.data_ptr(),
    ):  # fmt: skip
        raise_refusal(functions, {"targets": NAMELESS})
    return gradient


def _whole(tensor: Tensor) -> int:
    if not tensor.is_contiguous():
        raise EngineError("what the loss reads must be contiguous")
    return tensor.data_ptr()
