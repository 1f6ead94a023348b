"""The orthogonal matrix nearest to a matrix."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["orthogonalized"]

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # a, b, c of Jordan et al. 2024
_STEPS = 5
_LEAST = 1e-7  # of a norm: a matrix of zeros stays one


def orthogonalized(matrices: Tensor) -> Tensor:
    """About ``U Vᵀ`` of each of the matrices ``U S Vᵀ``, ``[N, R, C]`` with R ≤ C, any float type.

    Five Newton-Schulz steps ``X ← a X + (b A + c A²) X``, ``A = X Xᵀ``, begun at ``X / ‖X‖``
    (Jordan et al. 2024). The coefficients trade the last digits for speed: singular values end
    between about 0.7 and 1.2, but for very small ones, which stay smaller.
    """
    a, b, c = _COEFFICIENTS
    norms = torch.linalg.vector_norm(matrices, dim=(1, 2), keepdim=True)
    found: Tensor = matrices / norms.clamp_min(_LEAST)
    for _ in range(_STEPS):
        gram = found @ found.mT
        found = torch.baddbmm(
            found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a
        )
    return found
