"""Which numbers an adapter learns: products of low rank, added to a decoder's matrices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from transduce.errors import ModelError
from transduce.models.seq2seq import Seq2Seq

__all__ = ["LARGEST_RANK", "LowRankChange"]

LARGEST_RANK = 256
_DECODER = "decoder."
_DOWN, _UP = ".down", ".up"


@dataclass(frozen=True)
class LowRankChange:
    """``W + B A / √r`` for each matrix W ``[out, in]`` of a decoder's affine maps and recurrences.

    Hu et al. 2021, equation 3, with A ``[r, in]`` and B ``[out, r]``; the factor is that of
    Kalajdzievski 2023, with which one learning rate suits all ranks. Encoder, embeddings and output
    layer stay: what an encoder makes of a source is the same with every adapter.
    """

    rank: int

    def shapes(self, model: Seq2Seq) -> dict[str, tuple[int, int]]:
        """Of A as ``NAME.down`` and of B as ``NAME.up``, by the name of each matrix.

        Raises ModelError where the decoder has no such matrix.
        """
        found: dict[str, tuple[int, int]] = {}
        for name, (outputs, inputs) in _matrices(model).items():
            found[name + _DOWN] = (self.rank, inputs)
            found[name + _UP] = (outputs, self.rank)
        if not found:
            raise ModelError("model must have a decoder with affine maps to be adapted")
        return found

    def first(self, model: Seq2Seq, generator: torch.Generator) -> dict[str, Tensor]:
        """Float32 numbers that change nothing: A drawn with variance 1 / in, B zero."""
        return {
            name: torch.randn(shape, generator=generator) / math.sqrt(shape[1])
            if name.endswith(_DOWN)
            else torch.zeros(shape)
            for name, shape in self.shapes(model).items()
        }

    def changed(
        self, weights: Mapping[str, Tensor], numbers: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """The matrices that are others now, with a gradient to ``numbers``; ``weights`` stay."""
        names = [name.removesuffix(_UP) for name in numbers if name.endswith(_UP)]
        scale = 1 / math.sqrt(self.rank)
        return {
            name: weights[name] + scale * (numbers[name + _UP] @ numbers[name + _DOWN])
            for name in names
        }

    def scaled(self, numbers: Mapping[str, Tensor], size: float) -> dict[str, Tensor]:
        """The numbers of a change ``size`` times as large."""
        return {
            name: size * tensor if name.endswith(_UP) else tensor
            for name, tensor in numbers.items()
        }


def _matrices(model: Seq2Seq) -> dict[str, tuple[int, int]]:
    """The shapes of all matrices that are changed, by name."""
    names = {weight: name for name, weight in model.named_parameters()}
    return {
        names[weight]: (weight.shape[0], weight.shape[1])
        for module in model.modules()
        if isinstance(module, nn.Linear | nn.RNNBase)
        for weight in module.parameters(recurse=False)
        if weight.ndim == 2 and names[weight].startswith(_DECODER)
    }
