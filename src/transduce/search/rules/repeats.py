"""Runs of tokens that are not to be repeated, and what hypotheses have written."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["ban_repeats", "followed"]


def ban_repeats(scores: Tensor, written: Tensor, among: Tensor, size: int) -> None:
    """Ban what followed each place of ``among`` ``[M, W, S]`` where the last ``size - 1`` tokens of
    ``written`` ``[M, W, t]`` stood. In place, ``scores`` ``[M, W, V]``.
    """
    length = written.shape[2]
    if length < size - 1 or among.shape[2] < size:
        return
    runs = among.unfold(2, size, 1)  # [M, W, S - size + 1, size]
    last = written[:, :, length - size + 1 :]
    same = (runs[..., :-1] == last[:, :, None]).all(dim=3)
    lanes, beams, places = same.nonzero(as_tuple=True)
    scores[lanes, beams, runs[lanes, beams, places, -1]] = -torch.inf


def followed(written: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
    """What hypotheses have written once ``tokens`` are behind; ``rows`` as in ``Ban.follow``."""
    before = written.flatten(0, 1)[rows]  # [M, W, t] → [N, t], of which [M', W, t]
    return torch.cat([before, tokens[..., None]], dim=2)
