"""From a recipe to what changes the weights."""

from __future__ import annotations

import torch
from torch import nn

from transduce.config import TrainingConfig
from transduce.training.optimizers.adamw import AdamW
from transduce.training.optimizers.matrices import hidden_matrices
from transduce.training.optimizers.muon import Muon
from transduce.training.optimizers.optimizer import Optimizer

__all__ = ["choose_optimizer"]

_RATIO = 3.0  # of the matrices' rate to the other weights', unless a recipe says it


def choose_optimizer(config: TrainingConfig, model: nn.Module, precision: str) -> Optimizer:
    """Of the weights that learn; matrices of Muon are multiplied in ``precision``."""
    weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
    matrices = hidden_matrices(model) if config.optimizer == "muon" else []
    owned = {id(matrix.weight) for matrix in matrices}
    rest = {name: p for name, p in weights.items() if id(p) not in owned}
    others = AdamW(rest, config.betas, config.weight_decay)
    if not matrices:
        return others
    rate = config.matrix_learning_rate
    return Muon(
        matrices,
        others,
        rate=_RATIO if rate is None else rate / config.learning_rate,
        weight_decay=config.weight_decay,
        dtype=torch.bfloat16 if precision == "bfloat16" else torch.float32,
    )
