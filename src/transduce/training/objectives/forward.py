"""One pass of a batch through the model, shared by all objectives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from transduce.interfaces import Batch, State, Stepper
from transduce.training.objectives.token_loss import token_loss

__all__ = ["Forward"]


class Forward:
    """One pass of one batch through the model, made as far as somebody asks and kept.

    ``inputs``, int64 ``[B, T]``, are what the decoder reads: the gold tokens, or some of them
    replaced. An objective that needs a second pass asks for :meth:`again`, one that needs other
    inputs, or a model that somebody else holds, makes a ``Forward`` of its own.
    """

    def __init__(
        self,
        model: Stepper[Any],
        batch: Batch,
        inputs: Tensor,
        precision: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        """``precision`` gives the context in which the model runs."""
        self.model = model
        self.batch = batch
        self.inputs = inputs
        self.negative_log_likelihood: Tensor | None = None  # a sum; who makes it on the way sets it
        self._precision = precision
        self._logits: Tensor | None = None
        self._state: State | None = None

    # No ``cached_property``: before Python 3.12 it lets one thread in, whichever the object.
    @property
    def logits(self) -> Tensor:
        """Of the decoder, ``[B, T, V]``, with a gradient."""
        if self._logits is None:
            with self._precision():
                self._logits = self.model.step(self.inputs, self.state)[0]
        return self._logits

    @property
    def state(self) -> State:
        """Before the first token: the encoded source, with a gradient."""
        if self._state is None:
            with self._precision():
                self._state = self.model.start(self.batch.source)
        return self._state

    def again(self) -> Forward:
        """The same batch once more, dropout drawn anew."""
        return Forward(self.model, self.batch, self.inputs, self._precision)

    def likelihood(self) -> Tensor:
        """The plain negative log-likelihood of the targets, a sum in nats without a gradient."""
        if self.negative_log_likelihood is None:
            with torch.no_grad():
                _, likelihood = token_loss(self.logits, self.batch.target_output)
            self.negative_log_likelihood = likelihood
        return self.negative_log_likelihood
