"""Low-rank adaptation: few weights learn, and the model keeps its size and speed.

Hu et al. 2021, equation 3: ``W + (α / r) B A`` with W as it was, A ``[r, in]`` drawn at random and
B ``[out, r]`` zero at first, so that training begins at the model as it is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from transduce.errors import ConfigError
from transduce.models.storage import named_weights

__all__ = ["LowRank", "add_low_rank", "merge_low_rank", "merged_weights"]

_STACKS = ("encoder.", "decoder.")
_WITHIN = ".parametrizations.weight."


class LowRank(nn.Module):
    """A weight ``[out, in]`` to what it is with its low-rank change."""

    def __init__(self, outputs: int, inputs: int, rank: int, alpha: float) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, inputs) / math.sqrt(inputs))
        self.up = nn.Parameter(torch.zeros(outputs, rank))
        self.scale = alpha / rank

    def forward(self, weight: Tensor) -> Tensor:
        """Same shape in and out."""
        return weight + self.up @ self.down * self.scale


def add_low_rank(model: nn.Module, rank: int, alpha: float, *, learning: tuple[str, ...]) -> None:
    """Let the affine maps of encoder and decoder learn by low-rank changes, and nothing else but
    the parameters whose name begins with one of ``learning``.

    Raises ConfigError where there is no affine map.
    """
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(learning) if learning else False)
    found = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.startswith(_STACKS)
    ]
    if not found:
        raise ConfigError("training.lora_rank must be none for a model without affine maps")
    for module in found:
        change = LowRank(module.out_features, module.in_features, rank, alpha)
        parametrize.register_parametrization(module, "weight", change.to(module.weight.device))


def merge_low_rank(model: nn.Module) -> None:
    """Make the changed weights ordinary ones."""
    for module in model.modules():
        if isinstance(module, nn.Linear) and parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)


def merged_weights(model: nn.Module) -> dict[str, Tensor]:
    """``named_weights`` of the model with its low-rank changes made."""
    merged: dict[str, Tensor] = {}
    for name, tensor in named_weights(model).items():
        module, inside, rest = name.partition(_WITHIN)
        if not inside:
            merged[name] = tensor
        elif rest == "original":
            weight = model.get_submodule(module).weight
            merged[f"{module}.weight"] = weight.detach() if isinstance(weight, Tensor) else tensor
    return merged
