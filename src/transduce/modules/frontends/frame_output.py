"""An output that guesses frames."""

from __future__ import annotations

from torch import Tensor, nn

from transduce.modules.functional import linear

__all__ = ["FrameOutput"]


class FrameOutput(nn.Module):
    """``x̂ = W h + b``: of each vector of a memory the numbers that it stands for.

    Masked reconstruction (Wang et al. 2020, section 2) trains an encoder by it; nothing predicts
    with it.
    """

    def __init__(self, width: int, numbers: int) -> None:
        super().__init__()
        self.project = linear(width, numbers, bias=True)

    def forward(self, vectors: Tensor) -> Tensor:
        """``[B, S', D]`` to float ``[B, S', W]``."""
        guessed: Tensor = self.project(vectors.to(self.project.weight.dtype))
        return guessed
