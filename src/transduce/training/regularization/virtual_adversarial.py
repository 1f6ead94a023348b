"""Virtual adversarial training: predictions withstand the change that would alter them most."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.interfaces import PADDING
from transduce.modules.chance import normal
from transduce.training.objectives.forward import Forward
from transduce.training.regularization.direction import of_size
from transduce.training.regularization.divergence import divergence

__all__ = ["VirtualAdversarial"]

# ξ: large enough for gradients of bfloat16, small beside embeddings of variance 1 and width 100
_PROBE = 0.1


class VirtualAdversarial:
    """``KL(P̂(s) ‖ P(s + r))`` with ``r = ε g / ‖g‖`` (Miyato et al. 2017, eq. 6 to 8; Sato et al.
    2019).

    ``g`` is the gradient of ``KL(P̂(s) ‖ P(s + d))`` by d, at ``d = ξ u``; u is a random direction
    of length 1, P̂ a constant to the gradient, and s as in :class:`Adversarial
    <transduce.training.regularization.adversarial.Adversarial>`. Each of its passes
    draws dropout anew.
    """

    name = "virtual_adversarial"

    def __init__(self, size: float) -> None:
        """``size`` is ε, above 0; embeddings have a variance of about 1."""
        self._size = size

    def __call__(self, forward: Forward) -> Tensor:
        """A sum over target tokens, in nats."""
        targets = forward.batch.target_output
        said = forward.logits.detach()
        source, target = forward.source_vectors, forward.target_vectors
        masks = forward.source_mask, forward.inputs != PADDING
        random = (
            normal(source.detach()) * masks[0][..., None],
            normal(target.detach()) * masks[1][..., None],
        )
        probe = tuple(part.requires_grad_() for part in of_size(random, _PROBE))
        moved = forward.reading(source.detach() + probe[0], target.detach() + probe[1])
        by_source, by_target = torch.autograd.grad(
            divergence(said, moved, targets), probe, allow_unused=True, materialize_grads=True
        )
        change = of_size((by_source, by_target), self._size)
        return divergence(said, forward.reading(source + change[0], target + change[1]), targets)
