"""The pointer-generator: generate a symbol or copy one from the source.

See, Liu & Manning 2017, "Get To The Point", equations 8 and 9:

    P(w) = p_gen · P_vocabulary(w) + (1 − p_gen) · Σ_{i: x_i = w} a_i
    p_gen = σ(w · [o_t; e_t] + b)

with attention ``a``, decoder output ``o`` and the embedding ``e`` of the last token.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from transduce.interfaces import END, UNKNOWN

__all__ = ["PointerGenerator", "copy_map"]

_BLOCK = 1 << 18  # numbers of a block of rows


class PointerGenerator(nn.Module):
    """Mixes the decoder's distribution with its attention over the source.

    ``symbols`` int64 ``[V_source]`` gives each source symbol's number in the target's
    vocabulary (UNKNOWN where the target has no such symbol).
    """

    symbols: Tensor

    def __init__(self, width: int, embedding_width: int, symbols: Tensor) -> None:
        super().__init__()
        self.gate = nn.Linear(width + embedding_width, 1)
        self.register_buffer("symbols", symbols)

    def forward(
        self, logits: Tensor, outputs: Tensor, embedded: Tensor, attention: Tensor, tokens: Tensor
    ) -> Tensor:
        """Logits ``[N, T, V]`` whose softmax is the mixture, in the type of ``logits``.

        ``logits`` ``[N, T, V]``, ``outputs`` ``[N, T, D]``, ``embedded`` ``[N, T, E]``,
        ``attention`` ``[N, T, S]``, ``tokens`` int64 ``[B, S]``, the source's.

        Divided by p_gen the mixture is ``P_vocabulary(w)`` where nothing is copied: those logits
        stay what they are. Where the source has w, with ``lse = log Σ exp z`` and the odds of
        copying, the logit is ``log(exp z_w + exp(lse) · (1 - p_gen) / p_gen · Σ a_i)``. So no
        second ``[N, T, V]`` is made.
        """
        precise = torch.promote_types(logits.dtype, torch.float32)
        gate = self.gate(torch.cat([outputs, embedded], dim=-1))
        odds = -gate.to(precise)  # log ((1 - p_gen) / p_gen)
        rows, steps, length = attention.shape
        symbols = self.symbols[tokens]
        first = (symbols[:, :, None] == symbols[:, None]).long().argmax(dim=2)  # of its like
        symbols, first = (
            places.repeat_interleave(rows // len(tokens), dim=0)[:, None].expand(-1, steps, -1)
            for places in (symbols, first)
        )
        weights = attention.to(precise)
        together = torch.zeros_like(weights).scatter_add(2, first, weights).gather(2, first)
        # Clamped before the logarithm: its gradient at zero would be infinite.
        copied = together.clamp_min(1e-30).log() + odds
        # What the places of one symbol have together counts once, at the first of them.
        counted = first == torch.arange(length, device=first.device)
        mixed: Tensor = _Mix.apply(  # type: ignore[no-untyped-call]
            logits.flatten(0, 1),  # [N·T, V]
            copied.flatten(0, 1),  # [N·T, S]
            symbols.flatten(0, 1),  # [N·T, S]
            counted.flatten(0, 1),  # [N·T, S]
        )
        return mixed.reshape(logits.shape)  # [N, T, V]


class _Mix(torch.autograd.Function):
    """Logits ``z`` ``[M, V]``; at the symbols ``[M, S]`` of a source ``log(e^z + e^(c + lse))``.

    Written down with its gradient, in blocks of rows that stay in a processor's cache: automatic
    differentiation makes six buffers as large as the logits and takes three times as long. The
    shares of what is generated and copied, ``p`` and ``1 - p`` of one symbol, are what its gradient
    is divided by; the gradient of ``lse`` is a softmax.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, copied: Tensor, symbols: Tensor, counted: Tensor
    ) -> Tensor:
        normalizers = torch.empty(len(logits), 1, dtype=copied.dtype, device=logits.device)
        for rows in _blocks(logits):
            block = logits[rows].to(copied.dtype)
            torch.logsumexp(block, dim=-1, keepdim=True, out=normalizers[rows])
        before = logits.gather(1, symbols).to(copied.dtype)
        after = torch.logaddexp(before, copied + normalizers)
        mixed = logits.scatter(1, symbols, after.to(logits.dtype))
        ctx.save_for_backward(mixed, normalizers, before, after, symbols, counted)
        return mixed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        mixed, normalizers, before, after, symbols, counted = ctx.saved_tensors
        given = gradients[0].gather(1, symbols).to(before.dtype)
        generated = given * (before - after).exp()
        to_copied = ((given - generated) * counted).to(before.dtype)
        to_normalizers = to_copied.sum(1, keepdim=True)
        result = torch.empty_like(mixed)
        for rows in _blocks(mixed):
            block = (mixed[rows] - normalizers[rows]).exp_().mul_(to_normalizers[rows])
            result[rows] = block.add_(gradients[0][rows])
        there = generated + to_normalizers * (before - normalizers).exp()
        return result.scatter_(1, symbols, there.to(result.dtype)), to_copied, None, None


def _blocks(logits: Tensor) -> list[slice]:
    height = max(1, _BLOCK // logits.shape[1])
    return [slice(start, start + height) for start in range(0, len(logits), height)]


def copy_map(source_symbols: list[str], target_symbols: list[str]) -> Tensor:
    """For each source symbol its number in the target's vocabulary, int64 ``[V_source]``."""
    numbers = {symbol: number for number, symbol in enumerate(target_symbols)}
    mapped = torch.tensor([numbers.get(symbol, UNKNOWN) for symbol in source_symbols])
    mapped[:END] = UNKNOWN  # padding and begin are never generated, so never copied
    mapped[END] = END
    return mapped
