"""The scan of a selective state space, for training: forward and back in one call each."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from transduce.errors import EngineError
from transduce.kernels.border import Checked, addresses, raise_refusal
from transduce.kernels.library import has_library, load_library

__all__ = ["has_native_selective_scan", "selective_scan", "selective_scan_back"]

_CHUNK = 32  # positions of which one state is kept, as in ``native/selective_scan.h``


class _SelectiveScanSize(Checked):
    """``SelectiveScanSize`` of ``native/selective_scan.h``."""

    _fields_ = (
        ("rows", ctypes.c_int64),
        ("length", ctypes.c_int64),
        ("width", ctypes.c_int),
        ("state", ctypes.c_int),
    )


def has_native_selective_scan(values: Tensor) -> bool:
    """Whether the kernels are here, and made for values ``[B, S, E]`` like these."""
    return values.is_cpu and values.dtype == torch.float32 and values.numel() > 0 and has_library()


def selective_scan(
    values: Tensor, steps: Tensor, rates: Tensor, selection: Tensor
) -> tuple[Tensor, Tensor]:
    """``h_t = exp(Δ_t A) ⊙ h_{t−1} + Δ_t v_t B_tᵀ``, ``y_t = h_t C_t``, in both directions.

    Float32, contiguous: v and Δ ``[B, S, E]``, A ``[N, E]``, B and C of the first half of the E
    channels, then of the second, which reads from the end, ``[B, S, 4 N]``. Gives y ``[B, S, E]``
    and one state in 32, for :func:`selective_scan_back`. Raises EngineError.
    """
    size = _checked(values, steps, rates, selection)
    B, S, E = values.shape
    outputs = torch.empty_like(values)
    states = values.new_empty(B, -(-S // _CHUNK), len(rates), E)
    functions = load_library().functions
    if functions.selective_scan(
        torch.get_num_threads(), ctypes.byref(size), addresses([values, steps, rates, selection]),
        states.data_ptr(), outputs.data_ptr(),
    ):  # fmt: skip
        raise_refusal(functions)
    return outputs, states


def selective_scan_back(
    values: Tensor,
    steps: Tensor,
    rates: Tensor,
    selection: Tensor,
    states: Tensor,
    gradient: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """From the gradient of y ``[B, S, E]`` to those of the first four. Raises EngineError."""
    size = _checked(values, steps, rates, selection, gradient)
    B, S, E = values.shape
    _require(states, (B, -(-S // _CHUNK), len(rates), E))
    functions = load_library().functions
    groups = functions.selective_scan_groups(ctypes.byref(size))
    of_rates = rates.new_empty(B, *rates.shape)
    of_selection = selection.new_empty(groups, *selection.shape)  # each a part of the sum
    found = [torch.empty_like(values), torch.empty_like(steps), of_rates, of_selection]
    if functions.selective_scan_back(
        torch.get_num_threads(), ctypes.byref(size), addresses([values, steps, rates, selection]),
        states.data_ptr(), gradient.data_ptr(), addresses(found),
    ):  # fmt: skip
        raise_refusal(functions)
    return found[0], found[1], of_rates.sum(0), of_selection.sum(0)


def _checked(
    values: Tensor, steps: Tensor, rates: Tensor, selection: Tensor, *others: Tensor
) -> _SelectiveScanSize:
    B, S, E = values.shape
    N = len(rates)
    for each in (values, steps, *others):
        _require(each, (B, S, E))
    _require(rates, (N, E))
    _require(selection, (B, S, 4 * N))
    return _SelectiveScanSize.of(B, S, E, N)


def _require(tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape or tensor.dtype != torch.float32:
        raise EngineError(f"a scan must be of float32 {list(shape)}; got {tensor.shape}")
    if not tensor.is_contiguous() or not tensor.is_cpu:
        raise EngineError("a scan must be contiguous, on the CPU")
