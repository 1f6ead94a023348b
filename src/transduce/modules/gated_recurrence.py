"""Recurrent units whose products do not hang on the step before: a whole sequence takes two."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from transduce.kernels.scan import has_native_scan, scan, scan_back
from transduce.modules.functional import linear

__all__ = ["MinimalGatedUnit", "SimpleRecurrentUnit", "recur"]

_FARTHEST = 1000.0  # positions that a unit remembers at first
_FIRST_FORGET = 1.0  # as of an LSTM (Jozefowicz et al. 2015): what was read lasts at first


class SimpleRecurrentUnit(nn.Module):
    """``f_t = σ(W_f x_t + b_f)``, ``c_t = f_t ⊙ c_{t−1} + (1 − f_t) ⊙ W x_t``, ``y_t = ReLU(c_t)``.

    Kim et al. 2019, "From research to production and back: ludicrously fast neural machine
    translation", section 3.1. No product hangs on the step before, so that a whole target takes
    two, and what is remembered of it is one vector. ``bias`` is b_f's; ``gain`` scales the first W.
    Not ``rectified``, ``y_t = c_t``, it is the minimal gated unit of Feng et al. 2024, f = 1 − z.
    """

    def __init__(
        self, width: int, *, bias: bool, gain: float = 1.0, rectified: bool = True
    ) -> None:
        super().__init__()
        self.rectified = rectified
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
        outputs = torch.relu(cells) if self.rectified else cells
        return outputs.to(vectors.dtype), cells[:, -1]


class MinimalGatedUnit(nn.Module):
    """``z_t = σ(W_z x_t + b_z)``, ``h_t = (1 − z_t) ⊙ h_{t−1} + z_t ⊙ (W_h x_t + b_h)``.

    Feng et al. 2024, "Were RNNs all we needed?", section 3.1, over whole sources: the first half of
    the D units reads a source from its beginning, the second from its end. The time and memory of a
    position do not depend on how many there are. ``width`` D must be even.
    """

    def __init__(self, width: int, *, bias: bool) -> None:
        super().__init__()
        if width % 2:
            raise ValueError(f"width must be even; got {width}")
        self.width = width
        self.value = linear(width, width, bias=bias)
        self.update = linear(width, width, bias=bias)
        if bias:
            with torch.no_grad():
                self.update.bias.copy_(_first_updates(width))

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """``[B, S, D]`` and the mask of real positions ``[B, S]`` to ``[B, S, D]``, else 0."""
        values, update = self.value(vectors), self.update(vectors)
        if values.dtype in (torch.float16, torch.bfloat16):
            values, update = values.float(), update.float()
        # Nothing is read at padding: from the end a source begins with its own last position.
        keep = torch.sigmoid(-update).masked_fill(~mask[:, :, None], 1.0)
        half = values.shape[2] // 2
        first = values.new_zeros(values.shape[0], half)
        onwards = recur(values[:, :, :half], keep[:, :, :half], first)
        back = recur(values[:, :, half:].flip(1), keep[:, :, half:].flip(1), first).flip(1)
        states = torch.cat([onwards, back], dim=2)  # [B, S, D]
        return states.masked_fill(~mask[:, :, None], 0.0).to(vectors.dtype)


def _first_updates(width: int) -> Tensor:
    """Biases ``[D]`` with which each half's units remember from 1 to 1,000 positions at first.

    As Tallec and Ollivier 2018 ("Can recurrent neural networks warp time?", section 2) have it for
    an LSTM, but spread evenly over the logarithms, not drawn: ``σ(−log u)`` is ``1 / (1 + u)``.
    """
    half = torch.linspace(0.0, math.log(_FARTHEST), width // 2)
    return -torch.cat([half, half])


def recur(values: Tensor, keep: Tensor, first: Tensor) -> Tensor:
    """``c_t = keep_t ⊙ c_{t−1} + (1 − keep_t) ⊙ values_t``: ``[N, T, D]`` from c_0 ``[N, D]``.

    Every number has a way of its own through time. In the native kernels threads share these ways;
    elsewhere, and for other numbers than float32, each step is an operation over all of them, or on
    a GPU each doubling of the steps is (Hillis and Steele 1986), log2 T operations.
    """
    if values.is_cuda:
        return _doubling(values, keep, first)
    cells: Tensor = _Recurrence.apply(values, keep, first)  # type: ignore[no-untyped-call]
    return cells


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, keep: Tensor, first: Tensor) -> Tensor:
        values, keep, first = values.contiguous(), keep.contiguous(), first.contiguous()
        cells = (scan if has_native_scan(values) else _scan)(values, keep, first)
        ctx.save_for_backward(values, keep, first, cells)
        return cells

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        values, keep, first, cells = ctx.saved_tensors
        back = scan_back if has_native_scan(values) else _scan_back
        return back(values, keep, first, cells, gradient.contiguous())


def _scan(values: Tensor, keep: Tensor, first: Tensor) -> Tensor:
    """One operation a step, in place."""
    cells, cell = torch.empty_like(values), first
    for step in range(values.shape[1]):
        cell = torch.lerp(values[:, step], cell, keep[:, step], out=cells[:, step])
    return cells


def _scan_back(
    values: Tensor, keep: Tensor, first: Tensor, cells: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One operation a step here too; autograd would record three."""
    total = gradient.clone(memory_format=torch.contiguous_format)  # of all that reads a cell
    for step in reversed(range(values.shape[1] - 1)):
        total[:, step].addcmul_(keep[:, step + 1], total[:, step + 1])
    before = torch.cat([first[:, None], cells[:, :-1]], dim=1)
    return total * (1 - keep), total * (before - values), total[:, 0] * keep[:, 0]


def _doubling(values: Tensor, keep: Tensor, first: Tensor) -> Tensor:
    """After r rounds each cell has read the 2^r steps before it; the gradient is autograd's."""
    added, kept, steps = (1 - keep) * values, keep, 1
    while steps < values.shape[1]:
        # the first ``steps`` cells have read all there is
        added = torch.cat(
            [added[:, :steps], added[:, steps:] + kept[:, steps:] * added[:, :-steps]], dim=1
        )
        kept = torch.cat([kept[:, :steps], kept[:, steps:] * kept[:, :-steps]], dim=1)
        steps *= 2
    return added + kept * first[:, None]
