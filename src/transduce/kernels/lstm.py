"""A native long short-term memory for training: forward and back in one call each."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from transduce.errors import EngineError
from transduce.kernels.border import Checked, addresses, raise_refusal
from transduce.kernels.library import has_library, load_library
from transduce.kernels.processor import processor_features

__all__ = ["has_native_lstm", "lstm"]

_LANES = 16
_LEAST_ROWS = 12  # of each thread: with fewer, reading the weights would take the time


class _LSTMSize(Checked):
    """``LstmSize`` of ``native/lstm.h``."""

    _fields_ = (
        ("sentences", ctypes.c_int64),
        ("length", ctypes.c_int64),
        ("inputs", ctypes.c_int),
        ("units", ctypes.c_int),
    )


def has_native_lstm(vectors: Tensor, weights: Sequence[Tensor]) -> bool:
    """Whether the kernels are here, made for vectors ``[B, T, E]`` and these weights, and faster.

    Where the processor has matrix units for bfloat16 (AMX), torch's own layer uses them.
    """
    rows, length, inputs = vectors.shape
    units = weights[1].shape[1]
    if vectors.device.type != "cpu" or vectors.dtype not in (torch.float32, torch.bfloat16):
        return False
    if any(weight.dtype != torch.float32 for weight in weights):
        return False
    if any(type(weight) not in (Tensor, nn.Parameter) for weight in weights):
        return False  # made of other numbers wherever they are used
    if _in_bfloat16() and "amx_bf16" in processor_features():
        return False
    if units % _LANES or inputs % 2 or rows < _LEAST_ROWS * torch.get_num_threads() or not length:
        return False
    return has_library()


def lstm(
    vectors: Tensor, hidden: Tensor, cell: Tensor, weights: Sequence[Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors ``[B, T, E]`` and states ``[B, D]`` to ``[B, T, D]`` and the states after.

    The equations are :class:`transduce.modules.recurrent.RecurrentLayer`'s. ``weights`` are torch's
    four, float32: ``[4 D, E]``, ``[4 D, D]`` and two biases ``[4 D]``. Under autocast products are
    of bfloat16, and so are outputs; sums, functions and cells are float32.

    ``x_t`` and ``h_{t-1}`` stand side by side and are multiplied at once; the gates of 16 units are
    neighbours in the packed weights, so that a tile of sums becomes gates, cells and
    hidden states before it leaves the registers' reach. Each thread takes sentences of its own.
    """
    half = _in_bfloat16()
    found: tuple[Tensor, Tensor, Tensor] = _LSTM.apply(  # type: ignore[no-untyped-call]
        vectors, hidden, cell, half, *weights
    )
    return found


class _LSTM(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, vectors: Tensor, hidden: Tensor, cell: Tensor, half: bool, *weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        (B, T, E), D = vectors.shape, hidden.shape[1]
        stored = torch.bfloat16 if half else torch.float32
        inputs = torch.empty(B, T, E + D, dtype=stored)  # x_t and h_{t-1}
        inputs[:, :, :E] = vectors
        inputs[:, 0, E:] = hidden
        gates = torch.empty(B, T, 4 * D, dtype=stored)
        cells = torch.empty(B, T, D)
        first = cell.float().contiguous()
        outputs = torch.empty(B, T, D, dtype=stored)
        weights = tuple(weight.contiguous() for weight in weights)
        _check(weights, E, D)
        if first.shape != (B, D):
            raise EngineError(f"cell must be [{B}, {D}]; got {list(first.shape)}")
        functions = load_library().functions
        if functions.lstm(
            half, torch.get_num_threads(), ctypes.byref(_LSTMSize.of(B, T, E, D)),
            addresses(weights), addresses([inputs, gates, cells, first, outputs]),
        ):  # fmt: skip
            raise_refusal(functions)
        ctx.save_for_backward(inputs, gates, cells, first, *weights)
        ctx.half = half
        return outputs, outputs[:, -1].clone(), cells[:, -1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, gates, cells, first, *weights = ctx.saved_tensors
        (B, T, both), D = inputs.shape, cells.shape[2]
        E, threads = both - D, torch.get_num_threads()
        of_outputs = gradients[0].to(inputs.dtype).contiguous()
        hidden, cell = (given.float().clone(memory_format=torch.contiguous_format)
                        for given in gradients[1:])  # fmt: skip
        of_gates, bias = torch.empty_like(gates), torch.zeros(threads, 4 * D)
        of_vectors = torch.empty(B, T, E, dtype=inputs.dtype)
        functions = load_library().functions
        if functions.lstm_back(
            ctx.half, threads, ctypes.byref(_LSTMSize.of(B, T, E, D)),
            addresses(weights[:2]), addresses([inputs, gates, cells, first]),
            addresses([of_outputs, of_gates, of_vectors, hidden, cell, bias]),
        ):  # fmt: skip
            raise_refusal(functions)
        if not any(ctx.needs_input_grad[4:]):  # frozen
            return of_vectors, hidden, cell, None, None, None, None, None
        turned, inputs = of_gates.view(B * T, 4 * D).t(), inputs.view(B * T, both)
        of_weights = [torch.mm(turned, of).float() for of in (inputs[:, :E], inputs[:, E:])]
        of_bias = bias.sum(0)
        return of_vectors, hidden, cell, None, *of_weights, of_bias, of_bias.clone()


def _in_bfloat16() -> bool:
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


def _check(weights: Sequence[Tensor], inputs: int, units: int) -> None:
    wanted = [(4 * units, inputs), (4 * units, units), (4 * units,), (4 * units,)]
    if [tuple(weight.shape) for weight in weights] != wanted:
        raise EngineError(f"weights of {inputs} inputs and {units} units must have shapes {wanted}")
