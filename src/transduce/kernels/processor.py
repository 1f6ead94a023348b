"""What the processor reports that it can do."""

from __future__ import annotations

import torch

__all__ = ["processor_features"]

# Of all that a processor can say of itself, what decides how fast a model runs.
_FEATURES = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def processor_features() -> list[str]:
    """Which instructions that matter to a model this processor reports."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return [name for name in _FEATURES if capabilities.get(name) is True]
