"""Which of a model's weights are matrices between vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from transduce.models.seq2seq import Seq2Seq

__all__ = ["Matrix", "hidden_matrices"]

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)


@dataclass(frozen=True, slots=True)
class Matrix:
    """A weight that is ``blocks`` matrices, one under the other: the gates of a recurrent layer.

    A convolution's ``[D, C, …]`` counts as ``[D, C · …]``.
    """

    name: str
    weight: Tensor
    blocks: int = 1

    def cut(self, tensor: Tensor) -> Tensor:
        """One of the weight's shape as ``[blocks, rows, columns]``, the same memory."""
        return tensor.view(self.blocks, tensor.shape[0] // self.blocks, -1)


def hidden_matrices(model: nn.Module) -> list[Matrix]:
    """Matrices that take vectors to vectors, of those weights that learn.

    Embeddings and what gives a number for each symbol (output, CTC) are tables of rows, no maps;
    biases, norms and single rows have no directions to balance.
    """
    found, seen = [], set()
    for matrix in _matrices(model):
        rows, columns = matrix.cut(matrix.weight).shape[1:]
        plain = matrix.weight.requires_grad and min(rows, columns) > 1
        if plain and id(matrix.weight) not in seen:
            seen.add(id(matrix.weight))
            found.append(matrix)
    return found


def _matrices(model: nn.Module) -> Iterator[Matrix]:
    ctc = model.ctc.project if isinstance(model, Seq2Seq) and model.ctc is not None else None
    for path, module in model.named_modules():
        own = dict(module.named_parameters(prefix=path, recurse=False))
        if isinstance(module, nn.RNNBase):
            for name, weight in own.items():
                if weight.ndim == 2:
                    yield Matrix(name, weight, weight.shape[0] // module.hidden_size)
        elif isinstance(module, _LAYERS) and module is not ctc:
            for name, weight in own.items():
                if weight.ndim > 1:
                    yield Matrix(name, weight)
