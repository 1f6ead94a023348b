"""Scheduled sampling in two parallel passes, for any architecture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from transduce.interfaces import PADDING, Source

__all__ = ["mix_inputs"]


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
    chosen = (torch.rand(later.shape, device=inputs.device) < share) & (later != PADDING)
    return torch.cat([inputs[:, :1], torch.where(chosen, guesses[:, :-1], later)], dim=1)
