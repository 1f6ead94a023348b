"""What a decoder remembers between steps: one class for every architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from transduce.interfaces import Memory, Source

__all__ = ["DecoderState"]

_SHORTLIST, _UNLISTED = "shortlist", "unlisted"  # as the engine's programs call them


@dataclass(frozen=True, slots=True)
class DecoderState:
    """Tensors labelled by what their first dimension counts.

    ``memory`` and ``sentences`` hold one entry for each of B sentences and are never
    copied for beams; ``rows`` holds one for each of N = B·K hypotheses (row ``n``
    belongs to sentence ``n // K``). ``position`` counts the tokens read so
    far, the same for all rows. ``attention`` ``[N, T, S]`` holds the last
    step's weights where ``keep_attention`` asks for them.
    """

    memory: Memory
    sentences: Mapping[str, Tensor]
    rows: Mapping[str, Tensor]
    position: int = 0
    beams: int = 1
    keep_attention: bool = False
    attention: Tensor | None = None

    @property
    def shortlist(self) -> Tensor | None:
        """The tokens that each sentence's output may hold, int64 ``[B, C]``; None: all."""
        return self.sentences.get(_SHORTLIST)

    @property
    def unlisted(self) -> Tensor | None:
        """What stands for all others, float32 ``[B, D + 1]`` (``Source.unlisted``)."""
        return self.sentences.get(_UNLISTED)

    def within(self, source: Source) -> DecoderState:
        """The same, of outputs that hold only tokens of the source's shortlist, if it has one."""
        given = {_SHORTLIST: source.shortlist, _UNLISTED: source.unlisted}
        found = {name: tensor for name, tensor in given.items() if tensor is not None}
        return replace(self, sentences={**self.sentences, **found}) if found else self

    @property
    def mask(self) -> Tensor:
        """Bool ``[B, S]``, true where the memory holds something real."""
        return self.memory.mask

    def advance(
        self, rows: Mapping[str, Tensor], steps: int, attention: Tensor | None
    ) -> DecoderState:
        """The state after ``steps`` more tokens, with all of ``rows`` replaced."""
        kept = attention if self.keep_attention else None
        return replace(self, rows=rows, position=self.position + steps, attention=kept)

    def expand(self, beams: int) -> DecoderState:
        """From N rows to N·beams, each row ``beams`` times in a line."""
        if beams == 1:
            return self
        return replace(
            self,
            rows={name: t.repeat_interleave(beams, dim=0) for name, t in self.rows.items()},
            attention=_repeated(self.attention, beams),
            beams=self.beams * beams,
        )

    def reorder(self, rows: Tensor) -> DecoderState:
        """Row n becomes what row ``rows[n]`` was (int64 ``[N]``, within its own sentence)."""
        return replace(
            self,
            rows={name: t.index_select(0, rows) for name, t in self.rows.items()},
            attention=None if self.attention is None else self.attention.index_select(0, rows),
        )

    def select(self, sentences: Tensor) -> DecoderState:
        """Keep the sentences with these numbers (int64 ``[B']``), all their rows."""
        offsets = torch.arange(self.beams, device=sentences.device)
        kept = replace(
            self,
            memory=self.memory.select(sentences),
            sentences={name: t.index_select(0, sentences) for name, t in self.sentences.items()},
        )
        rows = (sentences[:, None] * self.beams + offsets).flatten()  # [B', K] → [B'·K]
        return kept.reorder(rows)


def _repeated(attention: Tensor | None, beams: int) -> Tensor | None:
    return None if attention is None else attention.repeat_interleave(beams, dim=0)
