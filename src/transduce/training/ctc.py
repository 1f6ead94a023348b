"""Connectionist temporal classification as a second objective beside the decoder's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from transduce.interfaces import Batch, Source
from transduce.models.ctc import BLANK
from transduce.models.seq2seq import Seq2Seq

__all__ = ["WithCTC", "ctc_loss"]


class WithCTC(nn.Module):
    """A model whose forward pass gives the logits of both of its outputs."""

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        self.model = model

    def forward(self, source: Source, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The decoder's logits ``[B, T, V]``, CTC's log-probabilities ``[B, S, V]``, lengths."""
        state = self.model.start(source)
        logits, _ = self.model.step(inputs, state)
        if self.model.ctc is None:
            raise RuntimeError("a model must have a CTC output to learn from it")
        return logits, self.model.ctc(state.memory), state.memory.mask.sum(1)


def ctc_loss(log_probs: Tensor, lengths: Tensor, batch: Batch) -> Tensor:
    """``Σ −log P(y | x)`` over the sentences of a batch, in nats (Graves et al. 2006, eq. 15).

    ``log_probs`` ``[B, S, V]``; ``lengths`` int64 ``[B]`` counts the memory's positions. END is no
    part of y. A sentence whose memory is too short for its target costs nothing, as does one
    without a target.
    """
    targets = (batch.target_lengths - 1).clamp(min=0)
    losses = nn.functional.ctc_loss(
        log_probs.transpose(0, 1),
        batch.target_output,
        lengths,
        targets,
        blank=BLANK,
        reduction="none",
        zero_infinity=True,
    )
    return torch.where(batch.target_lengths > 0, losses, 0.0).sum()
