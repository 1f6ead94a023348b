"""A small change of one model, which the model itself does not know of."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.adapters.low_rank_change import LowRankChange
from transduce.compress.rounding import shrunk
from transduce.compress.shrunk import floats_of
from transduce.config import WeightNumber
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import adopt_weights, named_weights

__all__ = ["Adapter"]


@dataclass(frozen=True)
class Adapter:
    """What was learnt for the model whose file of weights has the SHA-256 ``base``.

    ``numbers`` are float32, of the names and shapes that ``change`` has for the model.
    """

    base: str
    change: LowRankChange
    numbers: Mapping[str, Tensor]

    def changed_model(self, model: Seq2Seq, weights: WeightNumber = "float32") -> Seq2Seq:
        """A model with the change made; what is not changed it shares with ``model``, which stays
        as it is. Matrices that are stored in other ``weights`` are rounded again.
        """
        own = named_weights(model)
        floats = {name: floats_of(own[name]) for name in own if f"{name}.up" in self.numbers}
        device = model.device
        numbers = {name: tensor.to(device) for name, tensor in self.numbers.items()}
        with torch.no_grad():
            changed = self.change.changed(floats, numbers)
        rounded = {name: shrunk(tensor, weights) for name, tensor in changed.items()}
        kept: dict[int, object] = {id(t): t for t in (*model.parameters(), *model.buffers())}
        other = copy.deepcopy(model, kept)
        adopt_weights(other, {**own, **rounded})
        return other
