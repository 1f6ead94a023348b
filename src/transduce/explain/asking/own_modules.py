"""A model's modules for one explanation alone, with the weights that all share."""

from __future__ import annotations

import copy

from torch import nn

from transduce.models.seq2seq import Seq2Seq

__all__ = ["own_modules"]


def own_modules(model: Seq2Seq) -> Seq2Seq:
    """The modules again, and the same weights: no number is copied.

    Methods listen to modules, change what they give, and switch how they compute. Whoever predicts
    with the model meanwhile, in another thread, must see nothing of that.
    """
    shared: dict[int, object] = {id(buffer): buffer for buffer in model.buffers()}
    for parameter in model.parameters():
        plain = type(parameter) is nn.Parameter  # of shrunk weights no gradient is asked anyway
        shared[id(parameter)] = (
            nn.Parameter(parameter.detach(), parameter.requires_grad) if plain else parameter
        )
    return copy.deepcopy(model, shared)
