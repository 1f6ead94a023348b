"""SimCut: predictions shall be the same where some tokens of a pair are hidden."""

from __future__ import annotations

from torch import Tensor

from transduce.modules.chance import chosen
from transduce.training.objectives.forward import Forward
from transduce.training.regularization.divergence import divergence

__all__ = ["SimCut", "cutoff"]


class SimCut:
    """``KL(P(x, y) ‖ P(x_cut, y_cut))`` (Gao et al. 2022, eq. 5).

    ``x_cut`` and ``y_cut`` are a pair some of whose embeddings, on both sides, are zero (token
    cutoff, Shen et al. 2020). The gradient goes through both predictions, which the paper finds
    decisive (section 4.3); that of virtual adversarial training goes through one.
    """

    name = "simcut"

    def __init__(self, share: float) -> None:
        """``share`` is the probability p_cut that a token is cut, in ``[0, 1)``."""
        self._share = share

    def __call__(self, forward: Forward) -> Tensor:
        """A sum over target tokens, in nats."""
        again = forward.again()
        source, target = (
            cutoff(vectors, self._share) for vectors in (again.source_vectors, again.target_vectors)
        )
        logits = again.reading(source, target)
        return divergence(forward.logits, logits, forward.batch.target_output)


def cutoff(vectors: Tensor, share: float) -> Tensor:
    """Vectors ``[B, S, E]``, each zero with probability ``share``, the others as they are."""
    cut = chosen(vectors.shape[:2], share, vectors.device)
    return vectors.masked_fill(cut[..., None], 0)
