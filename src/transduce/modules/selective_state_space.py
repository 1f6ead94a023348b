"""Selective state spaces (Gu and Dao 2023): recurrences whose inputs say what is remembered."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint

from transduce.kernels.selective_scan import (
    has_native_selective_scan,
    selective_scan,
    selective_scan_back,
)
from transduce.modules.functional import linear

__all__ = ["SelectiveStateSpace", "select_and_scan"]

_TAPS = 4  # positions that the convolution reads
_RANK = 16  # that many numbers of the width for each of a step's
_SHORTEST, _LONGEST = 0.001, 0.1  # steps Δ at first
_CHUNK = 64  # positions whose states stand in memory together, where no kernel scans them


class SelectiveStateSpace(nn.Module):
    """A Mamba layer over whole sources, all but its last map.

    Gu and Dao 2023, "Mamba: linear-time sequence modeling with selective state spaces", sections
    3.2 (S6) and 3.4. With E channels, N numbers of state in each, ``A = −exp(decay)``::

        v_t = SiLU(convolution of W_u x + b_u, 4 positions)    r_t, B_t, C_t = W_r v_t, W_BC v_t
        Δ_t = softplus(W_Δ r_t + b_Δ)                          g_t = W_g x_t + b_g
        h_t = exp(Δ_t A) ⊙ h_{t−1} + Δ_t v_t B_tᵀ              y_t = (h_t C_t + D ⊙ v_t) ⊙ SiLU(g_t)

    The first half of the channels reads a source from its beginning, the second from its end; each
    half has B and C of its own. The time and memory of a position do not depend on how many there
    are. ``channels`` E must be even.
    """

    def __init__(self, width: int, *, channels: int, state_width: int, bias: bool) -> None:
        super().__init__()
        if channels % 2:
            raise ValueError(f"channels must be even; got {channels}")
        self.width, self.state_width = channels, state_width
        rank = math.ceil(width / _RANK)
        self.value = linear(width, channels, bias=bias)
        self.gate = linear(width, channels, bias=bias)
        self.rank = linear(channels, rank, bias=False)
        self.selection = linear(channels, 4 * state_width, bias=False)  # B and C of each half
        self.step = linear(rank, channels, bias=True)
        # Vectors, though they stand for tables: weight decay and rounding are for matrices.
        self.taps = nn.Parameter(torch.empty(_TAPS * channels))  # [4, E]
        self.taps_bias = nn.Parameter(torch.zeros(channels))
        self.decay = nn.Parameter(_first_decay(channels, state_width))  # [E, N]
        self.skip = nn.Parameter(torch.ones(channels))  # D
        nn.init.uniform_(self.taps, -1 / math.sqrt(_TAPS), 1 / math.sqrt(_TAPS))
        with torch.no_grad():
            self.step.bias.copy_(_first_steps(channels))

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """``[B, S, D]`` and the mask of real positions ``[B, S]`` to ``[B, S, E]``, else 0."""
        hidden = ~mask[:, :, None]
        values = _exact(self.value(vectors)).masked_fill(hidden, 0.0)
        values = nn.functional.silu(self._convolved(values))
        read = values.to(vectors.dtype)
        # Nothing is read at padding, nor forgotten: from the end a source begins with its own last.
        steps = nn.functional.softplus(_exact(self.step(self.rank(read))))
        states = select_and_scan(
            values,
            steps.masked_fill(hidden, 0.0),
            -torch.exp(_exact(self.decay)),
            _exact(self.selection(read)),
        )
        gate = nn.functional.silu(_exact(self.gate(vectors)))
        outputs = (states + self.skip * values) * gate
        return outputs.masked_fill(hidden, 0.0).to(vectors.dtype)

    def _convolved(self, values: Tensor) -> Tensor:
        """``[B, S, E]``: each channel over its last positions in the order in which it reads."""
        taps, half = _exact(self.taps).view(_TAPS, -1), self.width // 2  # [4 · E] → [4, E]
        bias, before = _exact(self.taps_bias), _TAPS - 1
        rows = values.transpose(1, 2)  # [B, S, E] → [B, E, S]
        with torch.autocast(values.device.type, enabled=False):
            onwards = _each_over(pad(rows[:, :half], (before, 0)), taps[:, :half], bias[:half])
            behind = taps[:, half:].flip(0)
            back = _each_over(pad(rows[:, half:], (0, before)), behind, bias[half:])
        return torch.cat([onwards, back], 1).transpose(1, 2).contiguous()  # [B, S, E]


def _each_over(rows: Tensor, taps: Tensor, bias: Tensor) -> Tensor:
    """Channels ``[B, h, S + K − 1]``, each by itself, with weights ``[K, h]`` to ``[B, h, S]``."""
    weight = taps.t()[:, None]  # [K, h] → [h, 1, K]
    return nn.functional.conv1d(rows, weight, bias, groups=len(weight))


def _exact(numbers: Tensor) -> Tensor:
    """In float32 at least."""
    return numbers.float() if numbers.dtype in (torch.float16, torch.bfloat16) else numbers


def _first_decay(channels: int, state_width: int) -> Tensor:
    """``[E · N]``: the logarithms of 1 to N for each channel (S4D-real, section 3.6)."""
    return torch.arange(1.0, state_width + 1).log().repeat(channels)


def _first_steps(channels: int) -> Tensor:
    """Biases ``[E]`` with which each half's steps are from 0.001 to 0.1 at first (section 3.6).

    Spread evenly over the logarithms, not drawn: ``log(e^Δ − 1)`` is what softplus makes Δ.
    """
    half = torch.linspace(math.log(_SHORTEST), math.log(_LONGEST), channels // 2).exp()
    return half.expm1().log().repeat(2)


def select_and_scan(values: Tensor, steps: Tensor, rates: Tensor, selection: Tensor) -> Tensor:
    """``h_t = exp(Δ_t A) ⊙ h_{t−1} + Δ_t v_t B_tᵀ``, ``y_t = h_t C_t``, two halves of E channels.

    ``values`` v and ``steps`` Δ ``[B, S, E]``, ``rates`` A ``[E · N]``, ``selection``
    ``[B, S, 4 N]``: B and C of the first half, which begins at position 0, then of the second,
    which begins at the last one. Gives ``[B, S, E]``. No tensor of all states is made: the native
    kernels keep one position in 32, other ways through time :data:`_CHUNK` positions at once.
    """
    E, N = values.shape[2], selection.shape[2] // 4
    table = rates.view(E, N)  # [E · N] → [E, N]
    if has_native_selective_scan(values):
        given = values, steps, table.t(), selection  # A: [E, N] → [N, E]
        found: Tensor = _SelectiveScan.apply(*given)  # type: ignore[no-untyped-call]
        return found
    half = E // 2
    write, read, write_back, read_back = torch.split(selection, N, 2)
    onwards = _onwards(values[:, :, :half], steps[:, :, :half], write, read, table[:half])
    turned = (values[:, :, half:], steps[:, :, half:], write_back, read_back)
    v, delta, b, c = (each.flip(1) for each in turned)
    return torch.cat([onwards, _onwards(v, delta, b, c, table[half:]).flip(1)], 2)


class _SelectiveScan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, steps: Tensor, rates: Tensor, selection: Tensor
    ) -> Tensor:
        values, steps = values.contiguous(), steps.contiguous()
        rates, selection = rates.contiguous(), selection.contiguous()
        outputs, states = selective_scan(values, steps, rates, selection)
        ctx.save_for_backward(values, steps, rates, selection, states)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        values, steps, rates, selection, states = ctx.saved_tensors
        gradient = gradient.contiguous()
        return selective_scan_back(values, steps, rates, selection, states, gradient)


def _onwards(values: Tensor, steps: Tensor, write: Tensor, read: Tensor, rates: Tensor) -> Tensor:
    """One half, ``[B, S, h]``, :data:`_CHUNK` positions after another, each in log2 operations.

    With gradients the states of a chunk are made once more when these are, and not kept.
    """
    B, S, h = values.shape
    state = values.new_zeros(B, h, rates.shape[1])
    outputs = []
    for begin in range(0, S, _CHUNK):
        here = slice(begin, begin + _CHUNK)
        chunk = values[:, here], steps[:, here], write[:, here], read[:, here], rates, state
        if torch.is_grad_enabled():
            some, state = checkpoint(
                _doubling, *chunk, use_reentrant=False, preserve_rng_state=False
            )
        else:
            some, state = _doubling(*chunk)
        outputs.append(some)
    return torch.cat(outputs, 1)


def _doubling(
    values: Tensor, steps: Tensor, write: Tensor, read: Tensor, rates: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """A chunk ``[B, L, h]`` from the state ``[B, h, N]`` before it, to the state behind it.

    After r rounds each state has read the 2^r positions before it (Hillis and Steele 1986).
    """
    kept = torch.exp(steps[..., None] * rates)  # [B, L, h] → [B, L, h, N]
    added = (steps * values)[..., None] * write[:, :, None]
    before = 1
    while before < values.shape[1]:
        added = torch.cat(
            [added[:, :before], added[:, before:] + kept[:, before:] * added[:, :-before]], 1
        )
        kept = torch.cat([kept[:, :before], kept[:, before:] * kept[:, :-before]], 1)
        before *= 2
    states = added + kept * state[:, None]
    # [B, L, h, N] · [B, L, N, 1] → [B, L, h, 1] → [B, L, h]
    return torch.matmul(states, read[..., None])[..., 0], states[:, -1]
