"""The simpler simple recurrent unit (Kim et al. 2019): all products at once, one state a step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from transduce.modules.functional import linear

__all__ = ["SimpleRecurrentUnit", "recur"]

_FIRST_FORGET = 1.0  # as of an LSTM (Jozefowicz et al. 2015): what was read lasts at first


class SimpleRecurrentUnit(nn.Module):
    """``f_t = σ(W_f x_t + b_f)``, ``c_t = f_t ⊙ c_{t−1} + (1 − f_t) ⊙ W x_t``, ``y_t = ReLU(c_t)``.

    Kim et al. 2019, "From research to production and back: ludicrously fast neural machine
    translation", section 3.1. No product hangs on the step before, so that a whole target takes
    two, and what is remembered of it is one vector. ``bias`` is b_f's; ``gain`` scales the first W.
    """

    def __init__(self, width: int, *, bias: bool, gain: float = 1.0) -> None:
        super().__init__()
        self.value = linear(width, width, bias=False, gain=gain)
        self.forget = linear(width, width, bias=bias)
        if bias:
            nn.init.constant_(self.forget.bias, _FIRST_FORGET)

    def forward(self, vectors: Tensor, cell: Tensor | None) -> tuple[Tensor, Tensor]:
        """``[N, T, D]`` and the cell before ``[N, D]``, None: zeros, to ``[N, T, D]`` and the cell.

        Cells are of float32 at least.
        """
        values, forget = self.value(vectors), self.forget(vectors)
        if values.dtype in (torch.float16, torch.bfloat16):
            values, forget = values.float(), forget.float()
        if cell is None:
            cell = values.new_zeros(values.shape[0], values.shape[2])
        cells = recur(values, torch.sigmoid(forget), cell)
        return torch.relu(cells).to(vectors.dtype), cells[:, -1]


def recur(values: Tensor, keep: Tensor, first: Tensor) -> Tensor:
    """``c_t = keep_t ⊙ c_{t−1} + (1 − keep_t) ⊙ values_t``: ``[N, T, D]`` from c_0 ``[N, D]``."""
    cells: Tensor = _Recurrence.apply(values, keep, first)  # type: ignore[no-untyped-call]
    return cells


class _Recurrence(torch.autograd.Function):
    """One operation a step there and back, each in place: autograd would record three."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, keep: Tensor, first: Tensor) -> Tensor:
        cells, cell = torch.empty_like(values), first
        for step in range(values.shape[1]):
            cell = torch.lerp(values[:, step], cell, keep[:, step], out=cells[:, step])
        ctx.save_for_backward(values, keep, first, cells)
        return cells

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        values, keep, first, cells = ctx.saved_tensors
        total = gradient.clone(memory_format=torch.contiguous_format)  # of all that reads a cell
        for step in reversed(range(values.shape[1] - 1)):
            total[:, step].addcmul_(keep[:, step + 1], total[:, step + 1])
        before = torch.cat([first[:, None], cells[:, :-1]], dim=1)
        return total * (1 - keep), total * (before - values), total[:, 0] * keep[:, 0]
