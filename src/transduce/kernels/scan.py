"""A native recurrence that gates what it keeps, for training: forward and back in one call each."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from transduce.errors import EngineError
from transduce.kernels.border import Checked, addresses, raise_refusal
from transduce.kernels.library import has_library, load_library

__all__ = ["has_native_scan", "scan", "scan_back"]


class _ScanSize(Checked):
    """``ScanSize`` of ``native/scan.h``."""

    _fields_ = (("rows", ctypes.c_int64), ("length", ctypes.c_int64), ("width", ctypes.c_int))


def has_native_scan(values: Tensor) -> bool:
    """Whether the kernels are here, and made for values ``[N, T, D]`` like these."""
    return values.is_cpu and values.dtype == torch.float32 and values.numel() > 0 and has_library()


def scan(values: Tensor, keep: Tensor, first: Tensor) -> Tensor:
    """``c_t = keep_t ⊙ c_{t−1} + (1 − keep_t) ⊙ values_t``: float32 ``[N, T, D]`` from ``[N, D]``.

    All contiguous. Raises EngineError.
    """
    cells = torch.empty_like(values)
    functions = load_library().functions
    _check([values, keep, cells], first)
    if functions.scan(
        torch.get_num_threads(), ctypes.byref(_ScanSize.of(*values.shape)),
        *(tensor.data_ptr() for tensor in (values, keep, first, cells)),
    ):  # fmt: skip
        raise_refusal(functions)
    return cells


def scan_back(
    values: Tensor, keep: Tensor, first: Tensor, cells: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """From the gradient of ``cells``, what :func:`scan` gave, to those of its three arguments.

    All contiguous. Raises EngineError.
    """
    _check([values, keep, cells, gradient], first)
    found = torch.empty_like(values), torch.empty_like(keep), torch.empty_like(first)
    functions = load_library().functions
    if functions.scan_back(
        torch.get_num_threads(), ctypes.byref(_ScanSize.of(*values.shape)),
        addresses([values, keep, first, cells]), gradient.data_ptr(), addresses(found),
    ):  # fmt: skip
        raise_refusal(functions)
    return found


def _check(steps: Sequence[Tensor], first: Tensor) -> None:
    N, T, D = steps[0].shape
    for tensor, shape in (*((step, (N, T, D)) for step in steps), (first, (N, D))):
        if tuple(tensor.shape) != shape or tensor.dtype != torch.float32:
            raise EngineError(f"a recurrence must be of float32 {list(shape)}; got {tensor.shape}")
        if not tensor.is_contiguous() or not tensor.is_cpu:
            raise EngineError("a recurrence must be contiguous, on the CPU")
