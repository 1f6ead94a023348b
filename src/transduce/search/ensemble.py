"""Several models as one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from transduce.errors import SearchError
from transduce.interfaces import Source, State, Stepper
from transduce.search.demands import as_listener, known_symbols

__all__ = ["Ensemble", "EnsembleState"]


@dataclass(frozen=True, slots=True)
class EnsembleState:
    """The states of all members, moved together."""

    members: tuple[Any, ...]

    @property
    def attention(self) -> Tensor | None:
        """The mean of the members' weights ``[N, T, S]``; None where one has none, or where their
        memories differ in length, as after frontends that shorten differently.
        """
        weights = [member.attention for member in self.members]
        if any(weight is None for weight in weights) or len({w.shape for w in weights}) > 1:
            return None
        return torch.stack(weights).mean(dim=0)

    @property
    def mask(self) -> Tensor:
        """Bool ``[B, S]``, true where the first member's memory holds something real."""
        mask: Tensor = self.members[0].mask
        return mask

    def expand(self, beams: int) -> EnsembleState:
        """Each sentence's row ``beams`` times in a line."""
        return EnsembleState(tuple(member.expand(beams) for member in self.members))

    def reorder(self, rows: Tensor) -> EnsembleState:
        """Row n becomes what row ``rows[n]`` was."""
        return EnsembleState(tuple(member.reorder(rows) for member in self.members))

    def select(self, sentences: Tensor) -> EnsembleState:
        """Keep some sentences."""
        return EnsembleState(tuple(member.select(sentences) for member in self.members))


class Ensemble:
    """The mean of the probabilities of models over one vocabulary, as one ``Stepper``.

    log p(y) = log (1/n Σ_i p_i(y)), which the logits of ``step`` hold. Members may be of
    different architectures; they must share their tokenizers.
    """

    def __init__(self, steppers: Sequence[Stepper[Any]]) -> None:
        """Raises SearchError where there is no model."""
        if not steppers:
            raise SearchError("an ensemble must have at least one model; got none")
        self._steppers = tuple(steppers)

    @property
    def vocabulary(self) -> int | None:
        """How many symbols all members know; None where one does not say."""
        sizes = [known_symbols(one) for one in self._steppers]
        known = [size for size in sizes if size is not None]
        return min(known) if len(known) == len(sizes) else None

    def start(self, source: Source, *, attention: bool = False) -> EnsembleState:
        """Encode once with each member, which has no estimate of what is in no list."""
        source = replace(source, unlisted=None)
        states: list[State] = [s.start(source, attention=attention) for s in self._steppers]
        return EnsembleState(tuple(states))

    def ctc_log_probs(self, state: EnsembleState) -> Tensor | None:
        """The mean of the members' CTC probabilities, as logarithms ``[B, S, V]``.

        None where one has no such output, or where their memories differ in length.
        """
        found: list[Tensor] = []
        for stepper, member in zip(self._steppers, state.members, strict=True):
            listener = as_listener(stepper)
            log_probs = None if listener is None else listener.ctc_log_probs(member)
            if log_probs is None or (found and log_probs.shape != found[0].shape):
                return None
            found.append(log_probs)
        return torch.stack(found).logsumexp(dim=0) - math.log(len(found))

    def step(self, tokens: Tensor, state: EnsembleState) -> tuple[Tensor, EnsembleState]:
        """Read int64 ``[N, T]``, give log-probabilities ``[N, T, V]``.

        Raises SearchError where the members' vocabularies differ in size.
        """
        results = [
            stepper.step(tokens, member)
            for stepper, member in zip(self._steppers, state.members, strict=True)
        ]
        sizes = [logits.shape[2] for logits, _ in results]
        if len(set(sizes)) > 1:
            raise SearchError(f"models of an ensemble must share one vocabulary; got sizes {sizes}")
        log_probs = torch.stack([_log_softmax(logits) for logits, _ in results])
        mean = log_probs.logsumexp(dim=0) - math.log(len(results))
        return mean, EnsembleState(tuple(member for _, member in results))


def _log_softmax(logits: Tensor) -> Tensor:
    precise = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    return torch.log_softmax(precise, dim=2)
