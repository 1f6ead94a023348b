"""Adversarial training: the loss where a small change of the embeddings raises it most."""

from __future__ import annotations

from torch import Tensor

from transduce.training.objectives.forward import Forward
from transduce.training.objectives.token_loss import token_loss
from transduce.training.regularization.direction import of_size, steepest_rise

__all__ = ["Adversarial"]


class Adversarial:
    """``-log P(y | s + r)``, ``r = ε g / ‖g‖``, ``g = ∇_s -log P(y | s)`` (Miyato et al. 2017).

    ``s`` are the embeddings of a source and of what its decoder reads, in one vector as in Sato et
    al. 2019 (section 4, enc-dec); ``‖g‖`` is that of a sentence pair. Label smoothing, where there
    is some, is in both losses. r is a constant to the gradient.
    """

    name = "adversarial"

    def __init__(self, size: float, smoothing: float = 0.0) -> None:
        """``size`` is ε, above 0; embeddings have a variance of about 1."""
        self._size = size
        self._smoothing = smoothing

    def __call__(self, forward: Forward) -> Tensor:
        """A sum over target tokens, in nats."""
        change = of_size(steepest_rise(forward, self._smoothing), self._size)
        logits = forward.reading(
            forward.source_vectors + change[0], forward.target_vectors + change[1]
        )
        return token_loss(logits, forward.batch.target_output, self._smoothing)[0]
