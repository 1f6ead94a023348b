"""Adversarial training: the loss where a small change of the embeddings raises it most."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.training.objectives.forward import Forward
from transduce.training.objectives.token_loss import token_loss
from transduce.training.regularization.direction import Pair, of_size

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
        targets = forward.batch.target_output
        source, target = forward.source_vectors, forward.target_vectors
        if source.requires_grad and target.requires_grad:
            followed, logits = (source, target), forward.logits
        else:  # frozen: the pass that is there knows no gradient of them
            followed = (source.detach().requires_grad_(), target.detach().requires_grad_())
            logits = forward.reading(*followed)
        loss, _ = token_loss(logits, targets, self._smoothing)
        change = of_size(_gradients(loss, followed), self._size)
        logits = forward.reading(source + change[0], target + change[1])
        return token_loss(logits, targets, self._smoothing)[0]


def _gradients(loss: Tensor, vectors: Pair) -> Pair:
    source, target = torch.autograd.grad(
        loss, vectors, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return source, target
