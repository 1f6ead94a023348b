"""A model that asks the nearest training examples what they went on with."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from transduce.interfaces import Source
from transduce.models.seq2seq import Seq2Seq
from transduce.models.state import DecoderState
from transduce.neighbours.nearest import Nearest
from transduce.search.rules.shortlist import refuse_shortlist

__all__ = ["NeighbourStepper", "mixed"]


class NeighbourStepper:
    """Nearest-neighbour decoding (Khandelwal et al. 2021, equations 2 and 3), as a ``Stepper``.

    p(y) = λ p_near(y) + (1 - λ) p_model(y), where p_near(y) is proportional to the sum of
    e^(-d / T) over those of the ``count`` nearest states that went on with y, d being their
    squared distance. The model itself runs, not its fast form, which keeps its states to itself.
    """

    def __init__(
        self, model: Seq2Seq, nearest: Nearest, *, share: float, count: int, temperature: float
    ) -> None:
        """``share`` is λ, ``temperature`` T."""
        self._model = model
        self._nearest = nearest
        self._share = share
        self._count = count
        self._temperature = temperature

    @property
    def vocabulary(self) -> int | None:
        """How many symbols the model knows."""
        return self._model.vocabulary

    def start(self, source: Source, *, attention: bool = False) -> DecoderState:
        """Encode once. Raises SearchError for a shortlist, of which neighbours know nothing."""
        refuse_shortlist(source, "where neighbours are asked")
        return self._model.start(source, attention=attention)

    def ctc_log_probs(self, state: DecoderState) -> Tensor | None:
        """The model's own."""
        return self._model.ctc_log_probs(state)

    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """Read int64 ``[N, T]``, give log-probabilities ``[N, T, V]``."""
        embedded = self._model.target_embedding(tokens)
        outputs, state = self._model.decoder.step(embedded, state)
        logits = self._model.logits(outputs, embedded, state.attention, state)
        log_probs = torch.log_softmax(logits.float(), dim=2)
        distances, places = self._nearest(outputs.flatten(0, 1), self._count)  # [N·T, C]
        near = self._nearest.index.tokens[places].to(log_probs.device, torch.int64)
        weights = distances.to(log_probs.device)
        given = mixed(log_probs.flatten(0, 1), weights, near, self._share, self._temperature)
        return given.view_as(log_probs), state


def mixed(
    log_probs: Tensor, distances: Tensor, tokens: Tensor, share: float, temperature: float
) -> Tensor:
    """The model's ``[N, V]`` and its neighbours' ``[N, C]`` together, as log-probabilities."""
    weights = torch.log_softmax(-distances / temperature, dim=1).exp()
    near = torch.zeros_like(log_probs).scatter_add_(1, tokens, weights)
    own = math.log1p(-share) + log_probs if share < 1 else torch.full_like(log_probs, -torch.inf)
    return torch.logaddexp(own, math.log(share) + near.log())
