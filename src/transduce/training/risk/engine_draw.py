"""Outputs drawn by the engine."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor

from transduce.engine import fast_stepper
from transduce.errors import EngineError, ModelError
from transduce.interfaces import Stepper
from transduce.models.seq2seq import Seq2Seq
from transduce.training.objectives.forward import Forward
from transduce.training.risk.drawn_outputs import draw_from, draw_outputs

__all__ = ["EngineDraw"]


class EngineDraw:
    """Draws from a model as it predicts: by the engine, in float32, without dropout.

    Its programs are written anew for each batch, so samples are those of the weights of now. That
    takes about 5 ms for a million weights, where drawing takes a second. What the engine has no
    program for, and a GPU's model, draws itself (:func:`draw_outputs`); the log says so once.
    """

    def __init__(self, model: Seq2Seq) -> None:
        """``model`` is the one that learns."""
        self._model = model
        self._able = True

    def __call__(self, forward: Forward, samples: int, most: int) -> Tensor:
        """As :func:`draw_outputs`."""
        stepper = self._stepper()
        if stepper is None:
            return draw_outputs(forward, samples, most)
        return draw_from(stepper.step, stepper.start(forward.batch.source), samples, most)

    @torch.no_grad()
    def _stepper(self) -> Stepper[Any] | None:
        if not self._able:
            return None
        try:
            return fast_stepper(self._model, "float32")
        except EngineError as error:
            self._able = False
            logging.getLogger("transduce").warning("risk: the model draws itself: %s", error)
        except ModelError:  # a weight is no number: training says so after this step
            pass
        return None
