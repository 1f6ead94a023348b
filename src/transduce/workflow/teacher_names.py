"""What names the weights of models, so that what they said once is known again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

from transduce.models.storage import named_weights
from transduce.workflow.trained import TrainedModel

__all__ = ["teachers_digest"]


def teachers_digest(teachers: Sequence[TrainedModel]) -> list[str]:
    """A hash of the weights of each."""
    return [_weights_digest(teacher) for teacher in teachers]


def _weights_digest(teacher: TrainedModel) -> str:
    hashed = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(named_weights(teacher.model).items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        hashed.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return hashed.hexdigest()
