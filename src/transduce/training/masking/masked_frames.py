"""Frames that are hidden, and guessed from those around them."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from transduce.config import TrainingConfig
from transduce.interfaces import S, Source, Stepper
from transduce.training.masking.hidden_frames import hidden_frames
from transduce.training.objectives.forward import Forward

__all__ = ["FrameGuesser", "MaskedFrames", "masked_frames"]


@runtime_checkable
class FrameGuesser(Stepper[S], Protocol[S]):
    """A stepper whose encoder has an output that guesses frames."""

    def guessed_frames(self, state: S) -> Tensor | None:
        """What each vector of the memory stands for, ``[B, S', W]``; None without the output."""
        ...

    def frame_cells(self, source: Source) -> Tensor:
        """The same of the frames as they are, zero beyond their ends."""
        ...


class MaskedFrames:
    """``Σ_b mean |x̂ - x|`` over the hidden numbers of each source (Liu et al. 2020, Mockingjay).

    Spans of frames are zero in what the encoder reads, which is their mean where recordings are
    normalized; from what is around them it guesses them. The decoder takes no part.
    """

    name = "frames"

    def __init__(self, share: float, span: float) -> None:
        """``share`` of the frames are hidden, in spans of ``span``."""
        self._share = share
        self._span = max(1, round(span))

    def __call__(self, forward: Forward) -> Tensor:
        """A sum over sources, in units of the frames; 0 for one without a target."""
        model, batch = forward.model, forward.batch
        if not isinstance(model, FrameGuesser):
            raise RuntimeError("a model must guess frames to learn from it")
        source = batch.source
        frames = source.frames
        hidden = hidden_frames(source.lengths, frames.shape[1], self._share, self._span)
        masked = replace(source, values=frames.masked_fill(hidden[:, :, None], 0))
        guessed = model.guessed_frames(forward.of_source(masked).state)
        if guessed is None:
            raise RuntimeError("a model must have an output for frames to learn from it")
        wanted = model.frame_cells(source)
        asked = model.frame_cells(
            replace(source, values=hidden[:, :, None].expand_as(frames) * 1.0)
        )
        errors = (guessed - wanted.to(guessed)).abs() * asked
        means = errors.flatten(1).sum(1) / asked.flatten(1).sum(1).clamp(min=1)
        total = torch.where(batch.target_lengths > 0, means, 0.0).sum()
        forward.negative_log_likelihood = total.detach()  # what the log shows as the loss
        return total


def masked_frames(config: TrainingConfig) -> MaskedFrames:
    """As a recipe asks for them."""
    return MaskedFrames(config.denoising_share, config.denoising_span)
