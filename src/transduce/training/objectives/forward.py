"""One pass of a batch through the model, shared by all objectives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from transduce.interfaces import Batch, Embedder, Source, State
from transduce.training.objectives.token_loss import token_loss

__all__ = ["Forward"]


class Forward:
    """One pass of one batch through the model, made as far as somebody asks and kept.

    ``inputs``, int64 ``[B, T]``, are what the decoder reads: the gold tokens, or some of them
    replaced. An objective that needs a second pass asks for :attr:`second` or :meth:`again`, one
    whose pass reads other vectors for :meth:`reading`, one that needs other inputs, or a model that
    somebody else holds, makes a ``Forward`` of its own.
    """

    def __init__(
        self,
        model: Embedder[Any],
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
        self._entered: tuple[Tensor, Source] | None = None
        self._embedded: Tensor | None = None
        self._state: State | None = None
        self._logits: Tensor | None = None
        self._second: Forward | None = None

    # No ``cached_property``: before Python 3.12 it lets one thread in, whichever the object.
    @property
    def logits(self) -> Tensor:
        """Of the decoder, ``[B, T, V]``, with a gradient."""
        if self._logits is None:
            state = self.state  # whose dropout is drawn before the decoder's
            with self._precision():
                self._logits = self.model.proceed(self.target_vectors, state)[0]
        return self._logits

    @property
    def state(self) -> State:
        """Before the first token: the encoded source, with a gradient."""
        if self._state is None:
            vectors = self.source_vectors
            with self._precision():
                self._state = self.model.begin(vectors, self._source)
        return self._state

    @property
    def source_vectors(self) -> Tensor:
        """What the encoder reads, ``[B, S', E]``."""
        return self._enter()[0]

    @property
    def source_mask(self) -> Tensor:
        """Bool ``[B, S']``, true at real positions of the source's vectors."""
        return self._source.mask

    @property
    def target_vectors(self) -> Tensor:
        """What the decoder reads, ``[B, T, E]``."""
        if self._embedded is None:
            with self._precision():
                self._embedded = self.model.embed(self.inputs)
        return self._embedded

    def reading(self, source: Tensor, target: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits ``[B, T, V]`` of a pass that reads these vectors in the place of
        :attr:`source_vectors` and :attr:`target_vectors`, dropout drawn anew.

        ``lengths`` int64 ``[B]`` count the source's vectors; None: as many as there were.
        """
        own = self._source if lengths is None else replace(self._source, lengths=lengths)
        with self._precision():
            logits: Tensor = self.model.proceed(target, self.model.begin(source, own))[0]
        return logits

    def going_on(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Read int64 ``[N, T]`` from a state on: logits ``[N, T, V]`` and the state after."""
        with self._precision():
            found: tuple[Tensor, State] = self.model.proceed(self.model.embed(tokens), state)
        return found

    @property
    def second(self) -> Forward:
        """The same batch once more, dropout drawn anew; one for all objectives."""
        if self._second is None:
            self._second = self.again()
        return self._second

    def again(self) -> Forward:
        """The same batch once more, dropout drawn anew."""
        return Forward(self.model, self.batch, self.inputs, self._precision)

    def of_source(self, source: Source) -> Forward:
        """The same targets after another source, dropout drawn anew."""
        return Forward(self.model, replace(self.batch, source=source), self.inputs, self._precision)

    @property
    def _source(self) -> Source:
        return self._enter()[1]

    def _enter(self) -> tuple[Tensor, Source]:
        if self._entered is None:
            with self._precision():
                self._entered = self.model.enter(self.batch.source)
        return self._entered

    def likelihood(self) -> Tensor:
        """The plain negative log-likelihood of the targets, a sum in nats without a gradient."""
        if self.negative_log_likelihood is None:
            with torch.no_grad():
                _, likelihood = token_loss(self.logits, self.batch.target_output)
            self.negative_log_likelihood = likelihood
        return self.negative_log_likelihood
