"""Models that we have no modules for, run by transformers behind our own ``Stepper``.

Search, its options, batching and the texts' side are ours; what the network computes is the
library's. Such a model predicts and is measured; it is not fine-tuned or run by the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from transduce.errors import DataError, ModelError
from transduce.interfaces import Source
from transduce.search.rules.shortlist import refuse_shortlist
from transduce.tokenization.numbering import Numbering

__all__ = ["AdapterState", "CausalAdapter", "EncoderDecoderAdapter", "ours_from_theirs"]

_OTHER = (ArithmeticError, AttributeError, KeyError, RuntimeError, TypeError, ValueError)
_NEVER = -1e9  # as a logit: below every other, yet a number
Layers = tuple[tuple[Tensor, Tensor], ...]


@dataclass(frozen=True, slots=True)
class AdapterState:
    """``own`` and ``cross`` are keys and values of each layer ``[N, H, t, d]``; ``memory``
    ``[B, S, D]`` and ``mask`` ``[B, S]`` the encoder's; ``seen`` ``[N, t]`` which tokens are real,
    ``last`` ``[N]`` what a prompt ends with, of a model that is a decoder alone.
    """

    own: Layers = ()
    cross: Layers = ()
    memory: Tensor | None = None
    mask: Tensor | None = None
    seen: Tensor | None = None
    last: Tensor | None = None
    beams: int = 1
    started: bool = False

    @property
    def attention(self) -> Tensor | None:
        """Not given."""
        return None

    def expand(self, beams: int) -> AdapterState:
        """Each row ``beams`` times in a line."""
        count = self._rows()
        rows = torch.arange(count, device=self._device()).repeat_interleave(beams)
        return replace(self.reorder(rows), beams=self.beams * beams)

    def reorder(self, rows: Tensor) -> AdapterState:
        """Row n becomes what row ``rows[n]`` was."""
        return replace(
            self,
            own=_picked(self.own, rows),
            cross=_picked(self.cross, rows),
            seen=None if self.seen is None else self.seen[rows],
            last=None if self.last is None else self.last[rows],
        )

    def select(self, sentences: Tensor) -> AdapterState:
        """Keep some sentences."""
        beams = torch.arange(self.beams, device=sentences.device)
        rows = (sentences[:, None] * self.beams + beams).flatten()
        return replace(
            self.reorder(rows),
            memory=None if self.memory is None else self.memory[sentences],
            mask=None if self.mask is None else self.mask[sentences],
        )

    def _rows(self) -> int:
        for tensor in (self.last, *(keys for keys, _ in self.own)):
            if tensor is not None:
                return len(tensor)
        return 0 if self.memory is None else len(self.memory) * self.beams

    def _device(self) -> torch.device | None:
        known = self.memory if self.last is None else self.last
        return None if known is None else known.device


def ours_from_theirs(numbering: Numbering, logits: Tensor) -> Tensor:
    """``[..., V]`` of theirs in our order; what only repeats another symbol is never chosen."""
    rows = torch.tensor(numbering.rows(), device=logits.device)
    ours = logits.float()[..., rows]
    ours[..., numbering.invented()] = _NEVER
    return ours


class EncoderDecoderAdapter:
    """Any encoder-decoder of transformers, its sources texts or pictures."""

    def __init__(
        self,
        model: nn.Module,
        source: Numbering | None,
        target: Numbering,
        *,
        drops_end: bool,
        picture: tuple[int, int] | None = None,
    ) -> None:
        """``source`` is None for pictures, which are then ``picture`` (channels, height) high;
        ``drops_end``: the encoder reads no end.
        """
        self._model: Any = model
        self._rows = None if source is None else torch.tensor(source.rows())
        self._target = target
        self._target_rows = torch.tensor(target.rows())
        self._drops_end = drops_end
        self._picture = picture

    @torch.no_grad()
    def start(self, source: Source, *, attention: bool = False) -> AdapterState:
        """Encode once."""
        refuse_shortlist(source, "for a model that transformers runs")
        encoder = self._model.get_encoder()
        if self._picture is not None:
            values, (channels, height) = source.frames, self._picture
            count, width, _ = values.shape
            pixels = values.view(count, width, channels, height).permute(0, 2, 3, 1)
            with _within_positions():
                memory = encoder(pixel_values=pixels).last_hidden_state
            return AdapterState(memory=memory, mask=memory.new_ones(memory.shape[:2]))
        lengths = source.lengths - int(self._drops_end)
        tokens = source.tokens[:, : int(lengths.max())]
        places = torch.arange(tokens.shape[1], device=tokens.device)
        mask = (places < lengths[:, None]).long()
        with _within_positions():
            memory = encoder(input_ids=self._theirs(tokens), attention_mask=mask).last_hidden_state
        return AdapterState(memory=memory, mask=mask)

    @torch.no_grad()
    def step(self, tokens: Tensor, state: AdapterState) -> tuple[Tensor, AdapterState]:
        """Read int64 ``[N, T]``, give logits ``[N, T, V]``."""
        if state.memory is None or state.mask is None:
            raise ValueError("state must be one that start gave")
        with _within_positions():
            found = self._model(
                encoder_outputs=(state.memory.repeat_interleave(state.beams, 0),),
                attention_mask=state.mask.repeat_interleave(state.beams, 0),
                decoder_input_ids=self._target_rows.to(tokens.device)[tokens],
                past_key_values=_two_caches(state.own, state.cross),
                use_cache=True,
                return_dict=True,
            )
        own, cross = _layers_of(found.past_key_values)
        after = replace(state, own=own, cross=cross, started=True)
        return ours_from_theirs(self._target, found.logits), after

    def _theirs(self, tokens: Tensor) -> Tensor:
        if self._rows is None:
            raise ValueError("source must be a picture")
        return self._rows.to(tokens.device)[tokens]


class CausalAdapter:
    """A decoder alone, GPT-2 for one: the source is what its output goes on from."""

    def __init__(self, model: nn.Module, numbering: Numbering) -> None:
        self._model: Any = model
        self._numbering = numbering
        self._rows = torch.tensor(numbering.rows())

    @torch.no_grad()
    def start(self, source: Source, *, attention: bool = False) -> AdapterState:
        """Read all of the prompts but their last tokens, which come in place of BEGIN."""
        refuse_shortlist(source, "for a model that transformers runs")
        prompts = [
            row[: length - 1]
            for row, length in zip(
                self._rows[source.tokens.cpu()].tolist(), source.lengths.tolist(), strict=True
            )
        ]
        device = source.device
        last = torch.tensor([row[-1] for row in prompts], device=device)
        width = max(len(row) for row in prompts) - 1
        padded = torch.full((len(prompts), width), self._numbering.end)
        seen = torch.zeros(len(prompts), width, dtype=torch.int64)
        for number, row in enumerate(prompts):  # on the left, so that all go on side by side
            if len(row) > 1:
                padded[number, width - len(row) + 1 :] = torch.tensor(row[:-1])
                seen[number, width - len(row) + 1 :] = 1
        padded, seen = padded.to(device), seen.to(device)
        own: Layers = ()
        if width:
            own = _layers_of(self._run(padded, seen, ()).past_key_values)[0]
        return AdapterState(own=own, seen=seen, last=last)

    @torch.no_grad()
    def step(self, tokens: Tensor, state: AdapterState) -> tuple[Tensor, AdapterState]:
        """Read int64 ``[N, T]``, give logits ``[N, T, V]``."""
        if state.seen is None or state.last is None:
            raise ValueError("state must be one that start gave")
        theirs = self._rows.to(tokens.device)[tokens]
        if not state.started:
            theirs = torch.cat([state.last[:, None], theirs[:, 1:]], dim=1)
        seen = torch.cat([state.seen, torch.ones_like(tokens)], dim=1)
        found = self._run(theirs, seen, state.own)
        own, _ = _layers_of(found.past_key_values)
        after = replace(state, own=own, seen=seen, started=True)
        return ours_from_theirs(self._numbering, found.logits), after

    def _run(self, theirs: Tensor, seen: Tensor, own: Layers) -> Any:
        positions = (seen.cumsum(1) - 1).clamp(min=0)[:, -theirs.shape[1] :]
        with _within_positions():
            return self._model(
                input_ids=theirs,
                attention_mask=seen,
                position_ids=positions,
                past_key_values=_one_cache(own),
                use_cache=True,
                return_dict=True,
            )


@contextmanager
def _within_positions() -> Iterator[None]:
    """Raise DataError where the network has no place for a token so far on, ModelError where the
    library cannot run it.
    """
    try:
        yield
    except IndexError:
        raise DataError(
            "sources and outputs must fit into the positions that the model has; "
            "shorten the sources, or lower search.max_length"
        ) from None
    except _OTHER as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"transformers must be able to run the model; {reason}") from None


def _picked(layers: Layers, rows: Tensor) -> Layers:
    return tuple((keys[rows], values[rows]) for keys, values in layers)


def _one_cache(layers: Sequence[tuple[Tensor, Tensor]]) -> Any:
    from transformers import DynamicCache

    return DynamicCache(layers) if layers else DynamicCache()


def _two_caches(own: Layers, cross: Layers) -> Any:
    from transformers import EncoderDecoderCache

    return EncoderDecoderCache(_one_cache(own), _one_cache(cross))


def _layers_of(cache: Any) -> tuple[Layers, Layers]:
    """Keys and values of self-attention and of attention over the memory, which may be none."""
    if hasattr(cache, "self_attention_cache"):
        return _layers(cache.self_attention_cache), _layers(cache.cross_attention_cache)
    return _layers(cache), ()


def _layers(cache: Any) -> Layers:
    return tuple((layer.keys, layer.values) for layer in cache.layers)
