"""What was weighed of a source for an output, as numbers: what is shown of an explanation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from transduce.explain.records.canvas import Canvas
from transduce.explain.records.continuation import Continuation

__all__ = ["SourceKind", "Weighed"]

SourceKind = Literal["text", "audio", "image"]


@dataclass(frozen=True, eq=False)
class Weighed:
    """What each part of the source, and each token before, had to do with an output.

    ``source`` names the U symbols, words or cells that were weighed, ``target`` the T tokens of
    the output with its end, ``rows`` the Q numbers that are explained (the T tokens, or the whole
    output, or a contrast). ``weights`` is float64 ``[Q, U]``; ``prefix`` names what the decoder
    read, ``prefix_weights`` float64 ``[Q, T]``, None where the method says nothing of it. Where
    the weights are ``signed``, those below zero speak against. ``log_probabilities`` are the
    model's, of each token (nats); ``scores`` the Q numbers themselves. ``figures`` are what the
    method says of itself: ``completeness_gap`` is a share. ``canvas`` is the spectrogram or
    picture that cells lie on, column after column. ``continuations`` say how the output would have
    gone on after other tokens, where that was asked for. ``seconds`` is how long the method took.
    """

    kind: SourceKind
    source: tuple[str, ...]
    target: tuple[str, ...]
    rows: tuple[str, ...]
    weights: NDArray[np.float64]
    prefix: tuple[str, ...]
    prefix_weights: NDArray[np.float64] | None
    signed: bool
    log_probabilities: tuple[float, ...]
    scores: tuple[float, ...]
    output: str
    quantity: str
    against: str | None
    method: str
    options: Mapping[str, Any]
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)
    canvas: Canvas | None = None
    continuations: tuple[Continuation, ...] = ()
    given: str = ""  # the source as it was given: a text, a path

    @property
    def grid(self) -> NDArray[np.float64]:
        """The weights on the canvas, ``[Q, rows, columns]``, row 0 uppermost; of a text one row."""
        rows = 1 if self.canvas is None else self.canvas.rows
        # [Q, columns · rows] → [Q, columns, rows] → [Q, rows, columns]
        found = self.weights.reshape(len(self.weights), -1, rows).transpose(0, 2, 1)
        return found[:, ::-1] if self.canvas is not None and self.canvas.upwards else found
