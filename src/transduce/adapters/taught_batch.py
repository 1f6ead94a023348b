"""Pairs as a decoder learns from them: what the encoder made of their sources, and what is wanted.

Adapters leave the encoder as it is, so its work is done once and not at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.interfaces import BEGIN, END, PADDING, Memory, Source
from transduce.models.seq2seq import Seq2Seq
from transduce.models.state import DecoderState

__all__ = ["EncodedSources", "TaughtBatch", "Teacher"]


@dataclass(frozen=True)
class EncodedSources:
    """B sources and what the encoder made of them."""

    source: Source
    memory: Memory

    @classmethod
    def of(cls, model: Seq2Seq, source: Source) -> EncodedSources:
        """Encode, on the model's device."""
        source = source.to(model.device)
        with torch.no_grad():
            vectors, entered = model.enter(source)
            return cls(source, model.encoder(vectors, entered))

    def start(self, model: Seq2Seq) -> DecoderState:
        """The state before the first token, of a model with the same encoder."""
        return model.decoder.start(self.memory, attention=model.pointer is not None)


@dataclass(frozen=True)
class Teacher:
    """The likeliest K tokens at each place of a target, ``[T, K]``, and their log-probabilities."""

    tokens: Tensor
    log_probs: Tensor

    def chosen(self, places: Sequence[int | None], written: Sequence[int]) -> Teacher:
        """For another target: what is said at each of its ``places`` here, and where there is none
        that ``written`` is certain.
        """
        kept = torch.tensor([0 if place is None else place for place in places])
        tokens, log_probs = self.tokens[kept].clone(), self.log_probs[kept].clone()
        for row, place in enumerate(places):
            if place is None:  # all K are that token
                tokens[row], log_probs[row] = written[row], 0.0
        return Teacher(tokens, log_probs)

    def renamed(self, place: int, old: int, new: int) -> None:
        """Let ``new`` have the probability of ``old`` at a place, besides its own."""
        self.tokens[place][self.tokens[place] == old] = new


@dataclass(frozen=True)
class TaughtBatch:
    """What a decoder reads and is to write.

    ``inputs`` int64 ``[B, T]`` begin with BEGIN; ``wanted`` int64 ``[B, T]`` are PADDING where
    nothing is said. With ``teachers`` ``[B, T, K]`` their probabilities are wanted there, without
    the tokens themselves.
    """

    encoded: EncodedSources
    inputs: Tensor
    wanted: Tensor
    teachers: Teacher | None = None

    @classmethod
    def of(
        cls,
        encoded: EncodedSources,
        targets: Sequence[Sequence[int]],
        teachers: Sequence[Teacher] = (),
        said: Sequence[Sequence[bool]] = (),
    ) -> TaughtBatch:
        """From targets without END; ``said`` has an entry for each token and one for END."""
        T = max(map(len, targets), default=0) + 1
        inputs = torch.full((len(targets), T), PADDING)
        wanted = torch.full((len(targets), T), PADDING)
        for row, target in enumerate(targets):
            inputs[row, : len(target) + 1] = torch.tensor([BEGIN, *target])
            wanted[row, : len(target) + 1] = torch.tensor([*target, END])
            if said:
                silent = ~torch.tensor(list(said[row]))
                wanted[row, : len(target) + 1][silent] = PADDING
        device = encoded.memory.vectors.device
        together = _padded(teachers, T, device) if teachers else None
        return cls(encoded, inputs.to(device), wanted.to(device), together)


def _padded(teachers: Sequence[Teacher], length: int, device: torch.device) -> Teacher:
    """As one, ``[B, T, K]``."""
    count = teachers[0].tokens.shape[1]
    tokens = torch.zeros(len(teachers), length, count, dtype=torch.int64)
    log_probs = torch.zeros(len(teachers), length, count)
    for row, teacher in enumerate(teachers):
        tokens[row, : len(teacher.tokens)] = teacher.tokens
        log_probs[row, : len(teacher.tokens)] = teacher.log_probs
    return Teacher(tokens.to(device), log_probs.to(device))
