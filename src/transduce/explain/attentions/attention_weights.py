"""Attention: where the decoder looks while it writes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.errors import ConfigError
from transduce.explain.asking.subject import Subject
from transduce.explain.attentions.attention_maps import listen, on_units
from transduce.explain.method import UnitWeights

__all__ = ["AttentionReading"]


@dataclass(frozen=True)
class AttentionReading:
    """The weights over the memory, and over what was written before (Transformers).

    Bahdanau, Cho & Bengio 2015, section 3.1. ``layer`` counts from 0, -1 being the last one;
    ``head`` likewise, -1 being the mean of all. ``shifted`` reads the weights of a token at the
    step whose decoder input it is, not where it is written (Chen et al. 2020, "Accurate word
    alignment induction from neural machine translation", section 3.2), which agrees better with
    alignments. A number that hangs on several steps has their mean.
    """

    name = "attention"

    layer: int = -1
    head: int = -1
    shifted: bool = False

    def weigh(self, subject: Subject) -> UnitWeights:
        """One forward pass. Raises ConfigError for a layer or head that is not there."""
        tokens = subject.prefix
        if self.shifted:
            last = subject.question.target[-1:].to(tokens.device)
            tokens = torch.cat([tokens, last[None]], dim=1)
        looks = listen(subject, tokens)
        cross = on_units(subject, self._rows(subject, self._head(self._layer(looks.cross))))
        before = None
        if looks.own:
            own = self._rows(subject, self._head(self._layer(looks.own)))
            before = own[:, : subject.prefix.shape[1]]
        return UnitWeights(cross, before, signed=False)

    def _layer(self, layers: tuple[Tensor, ...]) -> Tensor:
        if not -1 <= self.layer < len(layers):
            raise ConfigError(
                f"method.layer must be 0 to {len(layers) - 1}, or -1 for the last; got {self.layer}"
            )
        return layers[self.layer]

    def _head(self, weights: Tensor) -> Tensor:
        """``[H, T, S]`` to ``[T, S]``."""
        if not -1 <= self.head < len(weights):
            raise ConfigError(
                f"method.head must be 0 to {len(weights) - 1}, or -1 for the mean; got {self.head}"
            )
        return weights.mean(0) if self.head == -1 else weights[self.head]

    def _rows(self, subject: Subject, weights: Tensor) -> Tensor:
        """``[T, S]`` at the steps that are asked for, ``[Q, S]``."""
        steps = torch.tensor(subject.question.steps) + int(self.shifted)
        chosen = weights[steps]
        return chosen.mean(0, keepdim=True) if subject.question.kind == "output" else chosen
