"""In what numbers a step is computed: float32, or bfloat16 where the hardware multiplies it."""

from __future__ import annotations

from typing import Literal

import torch

from transduce.config import TrainingConfig
from transduce.errors import ConfigError
from transduce.kernels.processor import processor_features

__all__ = ["choose_precision", "multiplies_bfloat16"]

Precision = Literal["float32", "bfloat16"]


def choose_precision(config: TrainingConfig, device: torch.device) -> Precision:
    """The precision of matrix products and recurrent layers; weights, loss and optimizer keep
    float32. Raises ConfigError where the device cannot do what the config asks for.
    """
    if config.precision == "auto":
        return "bfloat16" if multiplies_bfloat16(device) else "float32"
    if config.precision == "bfloat16" and device.type not in ("cpu", "cuda"):
        raise ConfigError(
            "training.precision must be float32 or auto on this device; "
            f"got bfloat16 on {device.type}"
        )
    return config.precision


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware has instructions for it. Emulation would cost more than it saves."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    return not {"amx_bf16", "avx512_bf16"}.isdisjoint(processor_features())
