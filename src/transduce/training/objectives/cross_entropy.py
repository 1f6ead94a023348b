"""Cross-entropy with label smoothing: what a decoder is trained by."""

from __future__ import annotations

from torch import Tensor

from transduce.training.objectives.forward import Forward
from transduce.training.objectives.token_loss import token_loss

__all__ = ["CrossEntropy"]


class CrossEntropy:
    """:func:`token_loss` of the decoder's logits."""

    name = "cross_entropy"

    def __init__(self, smoothing: float = 0.0) -> None:
        """``smoothing`` is ε, in ``[0, 1)``."""
        self._smoothing = smoothing

    def __call__(self, forward: Forward) -> Tensor:
        """A sum over target tokens, in nats."""
        targets = forward.batch.target_output
        objective, likelihood = token_loss(forward.logits, targets, self._smoothing)
        forward.negative_log_likelihood = likelihood
        return objective
