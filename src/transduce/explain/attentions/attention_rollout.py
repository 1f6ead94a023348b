"""Attention rollout: attention through all layers, with what goes past it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.errors import ModelError
from transduce.explain.asking.subject import Subject
from transduce.explain.attentions.attention_maps import Looks, listen, on_units
from transduce.explain.method import UnitWeights
from transduce.models.recurrent import RecurrentDecoder
from transduce.models.transformer import TransformerEncoder

__all__ = ["AttentionRollout", "asked_rows", "encoder_rollout"]


@dataclass(frozen=True)
class AttentionRollout:
    """``R_l = (A_l + I) / 2 · R_{l-1}`` with the mean of the heads ``A_l``.

    Abnar & Zuidema 2020, "Quantifying attention flow in transformers", section 3. In a decoder
    each layer has two such steps, over what was written before and over the memory, whose own
    rollout over the source comes first; so a row over the prefix and the source sums to one.
    Simple recurrent units have no such weights, and are taken to mix nothing.
    """

    name = "attention-rollout"

    def weigh(self, subject: Subject) -> UnitWeights:
        """One forward pass. Raises ModelError where the encoder is no Transformer."""
        if not isinstance(subject.modules.encoder, TransformerEncoder):
            raise ModelError(
                "method attention-rollout must be asked of a model whose encoder is a Transformer; "
                "got a recurrent one, which has attention alone"
            )
        looks = listen(subject, subject.prefix)
        recurrent = isinstance(subject.modules.decoder, RecurrentDecoder)
        source, before = self._rollout(looks, recurrent)
        asked = asked_rows(subject, source)
        rows = on_units(subject, asked)
        return UnitWeights(
            rows, None if before is None else asked_rows(subject, before), signed=False
        )

    def _rollout(self, looks: Looks, recurrent: bool) -> tuple[Tensor, Tensor | None]:
        """Over the source ``[T, S]``, and over the prefix ``[T, T]`` where the decoder has that."""
        memory = encoder_rollout([_halved(layer.mean(0)) for layer in looks.encoder])
        if recurrent:
            return looks.cross[0].mean(0) @ memory, None
        steps = looks.cross[0].shape[1]
        before, source = torch.eye(steps, dtype=memory.dtype), memory.new_zeros(steps, len(memory))
        unmixed = (before[None],) * len(looks.cross)
        for own, cross in zip(looks.own or unmixed, looks.cross, strict=True):
            flow = _halved(own.mean(0))
            before, source = flow @ before, flow @ source
            before, source = before / 2, (source + cross.mean(0) @ memory) / 2
        return source, before


def _halved(weights: Tensor) -> Tensor:
    return (weights + torch.eye(len(weights), dtype=weights.dtype)) / 2


def encoder_rollout(layers: Sequence[Tensor]) -> Tensor:
    """The product of mixing matrices ``[S, S]``, the lowest layer first."""
    found = layers[0]
    for layer in layers[1:]:
        found = layer @ found
    return found


def asked_rows(subject: Subject, weights: Tensor) -> Tensor:
    """``[T, …]`` at the steps that are asked for, ``[Q, …]``; of a whole output the mean."""
    chosen = weights[torch.tensor(subject.question.steps)]
    return chosen.mean(0, keepdim=True) if subject.question.kind == "output" else chosen
