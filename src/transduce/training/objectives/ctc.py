"""Connectionist temporal classification: what the model's second output is trained by."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from transduce.interfaces import Batch, Listener
from transduce.models.ctc import BLANK
from transduce.training.objectives.forward import Forward

__all__ = ["CTC", "ctc_loss"]


class CTC:
    """``−log P(y | x)`` by the output on the encoder."""

    name = "ctc"

    def __call__(self, forward: Forward) -> Tensor:
        """A sum over sentences, in nats."""
        model, state = forward.model, forward.state
        log_probs = model.ctc_log_probs(state) if isinstance(model, Listener) else None
        if log_probs is None:
            raise RuntimeError("a model must have a CTC output to learn from it")
        positions = log_probs.shape[1] // state.mask.shape[1]  # of each vector
        return ctc_loss(log_probs, state.mask.sum(1) * positions, forward.batch)


def ctc_loss(log_probs: Tensor, lengths: Tensor, batch: Batch) -> Tensor:
    """``Σ −log P(y | x)`` over the sentences of a batch, in nats (Graves et al. 2006, eq. 15).

    ``log_probs`` ``[B, S, V]``; ``lengths`` int64 ``[B]`` counts the positions. END is not in y.
    A sentence of too few positions for its target costs nothing, as does one without a target.
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
