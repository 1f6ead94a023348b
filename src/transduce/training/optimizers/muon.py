"""Muon: every direction of a matrix is changed as much as any other."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from transduce.training.optimizers.matrices import Matrix
from transduce.training.optimizers.optimizer import Optimizer, Workers
from transduce.training.optimizers.orthogonal import orthogonalized
from transduce.training.record.restoring import fitting

__all__ = ["Muon"]

_MOMENTUM = 0.95
_SCALE = 0.2  # root mean square of a change at a rate of 1, as AdamW's are (Liu et al. 2025)
_TOGETHER = 4  # matrices of a job: the same whatever the number of threads, as bits depend on it


class Muon:
    """``m ← μ m + (1 - μ) g``, ``W ← W - η (0.2 √max(R, C) · O((1 - μ) g + μ m) + λ W)`` for
    matrices ``[R, C]`` (Jordan et al. 2024; scaled as in Liu et al. 2025, eq. 4).

    ``O`` is :func:`orthogonalized <transduce.training.optimizers.orthogonal.orthogonalized>`; each
    gate of a recurrent layer is a matrix of its own. All other weights are another optimizer's.
    """

    def __init__(
        self,
        matrices: Sequence[Matrix],
        others: Optimizer,
        *,
        rate: float,
        weight_decay: float,
        dtype: torch.dtype,
    ) -> None:
        """``rate`` times the learning rate is η. Matrices are multiplied in ``dtype``."""
        self._matrices = list(matrices)
        self._others = others
        self._rate = rate
        self._weight_decay = weight_decay
        self._dtype = dtype
        self._momenta = {matrix.name: torch.zeros_like(matrix.weight) for matrix in matrices}

    def clear(self) -> None:
        """Forget the gradients."""
        self._others.clear()
        for matrix in self._matrices:
            matrix.weight.grad = None

    @torch.no_grad()
    def step(self, rate: float, workers: Workers) -> None:
        """The matrices by jobs of a few, then the others."""
        own = rate * self._rate
        jobs = [partial(_change, piece, own) for piece in _pieces(self._directions())]
        for matrix in self._matrices:
            if matrix.weight.grad is not None:
                matrix.weight.mul_(1 - own * self._weight_decay)
        workers(jobs)
        self._others.step(rate, workers)

    def _directions(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Single matrices that learn, views of the weights, and where to each is to move; both
        ``[R, C]``, R ≤ C.
        """
        for matrix in self._matrices:
            gradient, momentum = matrix.weight.grad, self._momenta[matrix.name]
            if gradient is None:
                continue
            momentum.lerp_(gradient, 1 - _MOMENTUM)
            way = gradient.lerp(momentum, _MOMENTUM).to(self._dtype)
            for weight, part in zip(matrix.cut(matrix.weight), matrix.cut(way), strict=True):
                lies = weight.shape[0] > weight.shape[1]
                yield (weight.mT, part.mT) if lies else (weight, part)

    def tensors(self) -> dict[str, Tensor]:
        """The momentum of each matrix, and what the others need."""
        own = {f"momentum.{name}": tensor for name, tensor in self._momenta.items()}
        return {**own, **self._others.tensors()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what ``tensors`` gave. Raises ModelError where the weights are others."""
        for name, momentum in self._momenta.items():
            momentum.copy_(fitting(tensors, f"momentum.{name}", momentum))
        self._others.restore(tensors)


_Piece = list[tuple[Tensor, Tensor]]


def _pieces(directions: Iterator[tuple[Tensor, Tensor]]) -> list[_Piece]:
    """A few matrices of one shape each."""
    shapes: dict[torch.Size, _Piece] = defaultdict(list)
    for weight, way in directions:
        shapes[weight.shape].append((weight, way))
    return [
        group[first : first + _TOGETHER]
        for group in shapes.values()
        for first in range(0, len(group), _TOGETHER)
    ]


@torch.no_grad()  # which is each thread's own
def _change(piece: _Piece, rate: float) -> None:
    changes = orthogonalized(torch.stack([way for _, way in piece]))
    size = _SCALE * math.sqrt(max(piece[0][0].shape))
    for (weight, _), change in zip(piece, changes, strict=True):
        weight.add_(change, alpha=-rate * size)
