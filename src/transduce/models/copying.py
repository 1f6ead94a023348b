"""The pointer-generator: generate a symbol or copy one from the source.

See, Liu & Manning 2017, "Get To The Point", equations 8 and 9:

    P(w) = p_gen · P_vocabulary(w) + (1 − p_gen) · Σ_{i: x_i = w} a_i
    p_gen = σ(w · [o_t; e_t] + b)

with attention ``a``, decoder output ``o`` and the embedding ``e`` of the last token.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from transduce.interfaces import END, UNKNOWN

__all__ = ["PointerGenerator", "copy_map"]


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
        """Log-probabilities of the mixture, float32 ``[N, T, V]``.

        ``logits`` ``[N, T, V]``, ``outputs`` ``[N, T, D]``, ``embedded`` ``[N, T, E]``,
        ``attention`` ``[N, T, S]``, ``tokens`` int64 ``[B, S]``, the source's.
        """
        gate = self.gate(torch.cat([outputs, embedded], dim=-1)).float()
        generate = nn.functional.logsigmoid(gate)
        point = nn.functional.logsigmoid(-gate)
        rows, steps, _ = attention.shape
        symbols = self.symbols[tokens].repeat_interleave(rows // tokens.shape[0], dim=0)
        pointed = torch.zeros_like(logits, dtype=torch.float32).scatter_add(
            2, symbols[:, None].expand(-1, steps, -1), attention.float()
        )
        # Clamped before the logarithm: its gradient at zero would be infinite.
        copied = pointed.clamp_min(1e-30).log() + point
        return torch.logaddexp(logits.float().log_softmax(dim=-1) + generate, copied)


def copy_map(source_symbols: list[str], target_symbols: list[str]) -> Tensor:
    """For each source symbol its number in the target's vocabulary, int64 ``[V_source]``."""
    numbers = {symbol: number for number, symbol in enumerate(target_symbols)}
    mapped = torch.tensor([numbers.get(symbol, UNKNOWN) for symbol in source_symbols])
    mapped[:END] = UNKNOWN  # padding and begin are never generated, so never copied
    mapped[END] = END
    return mapped
