"""How well a model guesses the hidden frames of sources that it does not learn from."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext

import torch
from torch import nn

from transduce.interfaces import Batch
from transduce.models.seq2seq import Seq2Seq
from transduce.modules.chance import drawn_from
from transduce.training.masking.masked_frames import MaskedFrames
from transduce.training.objectives.forward import Forward

__all__ = ["FrameScore"]


class FrameScore:
    """Scores a model in training by :class:`MaskedFrames`, always on the same frames."""

    def __init__(
        self, model: Seq2Seq, batches: Iterable[Batch], objective: MaskedFrames, seed: int
    ) -> None:
        """``batches`` come alike each time."""
        self._model = model
        self._batches = batches
        self._objective = objective
        self._seed = seed

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """``loss``: the mean over sources."""
        if model is not self._model:
            raise ValueError("model must be the one that the score was made for")
        total, sources = 0.0, 0
        for number, batch in enumerate(self._batches):
            batch = batch.to(self._model.device)
            chance = torch.Generator().manual_seed(self._seed + number)
            with torch.no_grad(), drawn_from(chance):
                forward = Forward(self._model, batch, batch.target_input, nullcontext)
                total += float(self._objective(forward))
            sources += len(batch.target)
        return {"loss": total / max(1, sources)}
