"""Which frames of recordings and pictures are hidden."""

from __future__ import annotations

import torch
from torch import Tensor

from transduce.modules.chance import generator

__all__ = ["hidden_frames"]


def hidden_frames(lengths: Tensor, longest: int, share: float, span: int) -> Tensor:
    """Bool ``[B, S]``: spans of ``span`` frames, each frame hidden with probability ``share``.

    A span begins at each frame alike, and spans may overlap (Baevski et al. 2020, section 3.1). A
    source of which none would be hidden has one span, anywhere. ``lengths`` int64 ``[B]`` counts
    the frames of each, at most ``longest`` S.
    """
    own = generator() if lengths.device.type == "cpu" else None
    places = torch.rand(len(lengths), longest + span - 1, device=lengths.device, generator=own)
    anywhere = torch.rand(len(lengths), device=lengths.device, generator=own)
    begins = places < 1 - (1 - share) ** (1 / span)  # also of spans that began before the source
    before = torch.nn.functional.pad(begins.cumsum(1), (1, 0))  # [B, S + span]
    hidden = before[:, span:] > before[:, :longest]
    frames = torch.arange(longest, device=lengths.device)
    real = frames < lengths[:, None]
    first = (anywhere * lengths).long()[:, None]
    only = (frames >= first) & (frames < first + span)
    none = ~(hidden & real).any(1, keepdim=True)
    return torch.where(none, only, hidden) & real
