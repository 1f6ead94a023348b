"""What the decoder reads in training in place of the gold tokens, for any architecture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from transduce.interfaces import PADDING, UNKNOWN, Source
from transduce.modules.chance import chosen

__all__ = ["hide_inputs", "mix_inputs"]


def mix_inputs(model: nn.Module, source: Source, inputs: Tensor, share: float) -> Tensor:
    """Replace a share of what the decoder reads by what the model itself would have said.

    Mihaylova & Martins 2019 (after Bengio et al. 2015): a first pass, without gradient, reads the
    gold tokens; its best guess for each position is then read instead of the gold token there
    with probability ``share``, each position for itself. BEGIN and PADDING stay.

    Args:
        model: ``model(source, inputs)`` gives logits ``[B, T, V]``.
        source: B sentences.
        inputs: int64 ``[B, T]``, beginning with BEGIN.
        share: in ``[0, 1]``; 0 costs nothing.
    """
    if share == 0:
        return inputs
    with torch.no_grad():
        guesses = model(source, inputs).argmax(-1)
    later = inputs[:, 1:]
    mixed = chosen(later.shape, share, later.device) & (later != PADDING)
    return torch.cat([inputs[:, :1], torch.where(mixed, guesses[:, :-1], later)], dim=1)


def hide_inputs(inputs: Tensor, share: float) -> Tensor:
    """Replace a share of what the decoder reads by UNKNOWN (word dropout, Bowman et al. 2016).

    A decoder that cannot lean on what it wrote has to look at the source. ``inputs`` is int64
    ``[B, T]``, beginning with BEGIN; BEGIN and PADDING stay.
    """
    if share == 0:
        return inputs
    later = inputs[:, 1:]
    hidden = chosen(later.shape, share, later.device) & (later != PADDING)
    return torch.cat([inputs[:, :1], later.masked_fill(hidden, UNKNOWN)], dim=1)
