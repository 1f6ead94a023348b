"""Value zeroing: how a vector turns where attention finds nothing at a position."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from transduce.explain.asking.subject import Subject
from transduce.explain.attentions.attention_maps import on_units, over_memory, run
from transduce.explain.attentions.attention_rollout import asked_rows, encoder_rollout
from transduce.explain.method import UnitWeights
from transduce.models.recurrent import RecurrentDecoder
from transduce.models.seq2seq import Seq2Seq
from transduce.models.transformer import TransformerEncoder
from transduce.modules.attention_scores import MultiHead

__all__ = ["ValueZeroing"]


@dataclass(frozen=True)
class ValueZeroing:
    """``C_{i,j} = 1 - cos(y_i, y_i without the value of j)``, each row divided by its sum.

    Mohebbi et al. 2023, "Quantifying context mixing in Transformers", equations 5 to 7: in each
    layer the value vector of one position is zeroed in all heads, and everything else stays; the
    layer's own output is compared. The matrices of the layers are multiplied as in attention
    rollout (there section 6). In a decoder a row is divided by the sum over the prefix and the
    memory together. Over a recurrent decoder's memory the output of its attention is compared; a
    recurrent encoder, whose layers have no values, is taken to mix nothing. The values of a simple
    recurrent unit are what its cells are made of.
    """

    name = "value-zeroing"

    def weigh(self, subject: Subject) -> UnitWeights:
        """A pass through each layer for each position. Raises ModelError without attention."""
        model = subject.modules
        over_memory(model)
        with torch.no_grad(), _inputs(model) as heard:
            run(model, subject.source, subject.prefix)
        with torch.no_grad():
            source, before = self._mixing(subject, model, heard)
        rows = on_units(subject, asked_rows(subject, source))
        return UnitWeights(
            rows, None if before is None else asked_rows(subject, before), signed=False
        )

    def _mixing(
        self, subject: Subject, model: Seq2Seq, heard: dict[nn.Module, list[Any]]
    ) -> tuple[Tensor, Tensor | None]:
        memory = _encoder_mixing(subject, model, heard)
        if isinstance(model.decoder, RecurrentDecoder):
            cross = _shares(_recurrent(model.decoder, heard))
            return cross if memory is None else cross @ memory, None
        layers: Any = model.decoder.layers  # type: ignore[attr-defined]
        before, source = torch.zeros(0), torch.zeros(0)
        for number, layer in enumerate(layers):
            own, cross = _decoder_layer(subject, layer, heard[layer][0])
            both = _shares(torch.cat([own, cross], dim=1))
            own, cross = both[:, : len(own)], both[:, len(own) :]
            cross = cross if memory is None else cross @ memory
            before, source = (own, cross) if number == 0 else (own @ before, own @ source + cross)
        return source, before


@contextmanager
def _inputs(model: Seq2Seq) -> Iterator[dict[nn.Module, list[Any]]]:
    """What each layer is called with, and a recurrent decoder's attention gives, B being 1."""
    heard: dict[nn.Module, list[Any]] = {}

    def note(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        heard.setdefault(module, []).append((given, named))

    def after(module: nn.Module, given: tuple[Any, ...], gave: Any) -> None:
        heard.setdefault(module, []).append(gave)

    decoder: Any = model.decoder
    layers = [*decoder.layers] if not isinstance(decoder, RecurrentDecoder) else [decoder.combine]
    if isinstance(model.encoder, TransformerEncoder):
        layers += [*model.encoder.layers]
    handles = [layer.register_forward_pre_hook(note, with_kwargs=True) for layer in layers]
    if isinstance(decoder, RecurrentDecoder):
        attention: Any = decoder.attention
        if isinstance(attention, MultiHead):
            heads = attention.heads
            handles.append(heads.dropout.register_forward_hook(_given(heard, heads.dropout)))
            handles.append(heads.value.register_forward_hook(after))
        else:
            handles.append(attention.register_forward_hook(_weights_and_memory(heard, attention)))
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def _given(heard: dict[nn.Module, list[Any]], name: nn.Module) -> Callable[..., None]:
    def keep(_: nn.Module, given: tuple[Any, ...], gave: Any) -> None:
        heard.setdefault(name, []).append(given[0][0])  # [H, T, S]

    return keep


def _weights_and_memory(heard: dict[nn.Module, list[Any]], name: nn.Module) -> Callable[..., None]:
    def keep(_: nn.Module, given: tuple[Any, ...], gave: Any) -> None:
        heard.setdefault(name, []).append((gave[1][0], given[2][0]))  # [T, S], [S, M]

    return keep


def _shares(distances: Tensor) -> Tensor:
    """Each row divided by its sum; one that nothing turns stays zero."""
    totals = distances.sum(1, keepdim=True)
    return distances / torch.where(totals > 0, totals, 1.0)


def _distance(changed: Tensor, own: Tensor) -> Tensor:
    """``1 - cos`` of ``[N, T, D]`` and ``[1, T, D]``, 0 where nothing changed, ``[T, N]``."""
    changed, own = changed.double(), own.double()
    found = 1 - nn.functional.cosine_similarity(changed, own, dim=-1)
    same = (changed == own).all(-1)
    return found.clamp_min(0).masked_fill(same, 0.0).T.cpu()


def _encoder_mixing(
    subject: Subject, model: Seq2Seq, heard: dict[nn.Module, list[Any]]
) -> Tensor | None:
    """How much of each source position is in each of the memory, ``[S, S]``; None: unknown."""
    if not isinstance(model.encoder, TransformerEncoder):
        return None
    layers: list[Tensor] = []
    for layer in model.encoder.layers:
        (vectors, bias), _ = heard[layer][0]
        own = layer(vectors, bias)
        found = []
        attention: Any = layer.attention
        for part in subject.blocks(vectors.shape[1]):
            with _zeroed(attention.value, range(part.start, part.stop), vectors.shape[1]):
                count = part.stop - part.start
                found.append(_distance(layer(vectors.expand(count, -1, -1), bias), own))
        layers.append(_shares(torch.cat(found, dim=1)))
    return encoder_rollout(layers)


@contextmanager
def _zeroed(values: nn.Module, positions: range, count: int) -> Iterator[None]:
    """Row n of what the module gives ``[N, S, E]`` has a zero vector at ``positions[n]``.

    S is ``count``; summaries of blocks, which are fewer, keep what is in them.
    """

    def zero(_: nn.Module, given: tuple[Any, ...], gave: Tensor) -> Tensor:
        if gave.shape[1] != count:
            return gave
        changed = gave.clone()
        changed[range(len(positions)), list(positions)] = 0
        return changed

    handle = values.register_forward_hook(zero)
    try:
        yield
    finally:
        handle.remove()


def _decoder_layer(subject: Subject, layer: Any, heard: Any) -> tuple[Tensor, Tensor]:
    """How outputs turn without each value of the prefix ``[T, T]`` and of the memory ``[T, S]``."""
    (vectors, past, (keys, values)), named = heard
    own = layer(vectors, past, (keys, values), **named)[0]
    by_prefix, by_memory = [], []
    for part in subject.blocks(vectors.shape[1]):
        count = part.stop - part.start
        with _zeroed(layer.past_values, range(part.start, part.stop), vectors.shape[1]):
            changed = layer(vectors.expand(count, -1, -1), past, (keys, values), **named)[0]
        by_prefix.append(_distance(changed, own))
    for part in subject.blocks(values.shape[2]):
        count = part.stop - part.start
        without = values.repeat(count, 1, 1, 1)
        without[range(count), :, range(part.start, part.stop)] = 0
        memory = keys.expand(count, -1, -1, -1), without
        changed = layer(vectors.expand(count, -1, -1), past, memory, **named)[0]
        by_memory.append(_distance(changed, own))
    # No output sees what comes later: what little differs there is rounding.
    return torch.cat(by_prefix, dim=1).tril(), torch.cat(by_memory, dim=1)


def _recurrent(decoder: RecurrentDecoder, heard: dict[nn.Module, list[Any]]) -> Tensor:
    """How the outputs turn without each vector of the memory, ``[T, S]``."""
    joined = torch.cat([given[0] for given, _ in heard[decoder.combine]], dim=1)  # [1, T, D + M]
    attention: Any = decoder.attention
    if isinstance(attention, MultiHead):
        heads = attention.heads
        weights = torch.cat(heard[heads.dropout], dim=1)  # [H, T, S]
        values = heard[heads.value][0][0]  # [S, H·d]
        H, T, S = weights.shape
        split = values.view(S, H, -1).transpose(0, 1)  # [H, S, d]
        each = weights[..., None] * split[:, None]  # [H, T, S, d]
        parts = each.permute(1, 2, 0, 3).reshape(T, S, -1) @ heads.output.weight.T  # [T, S, D]
    else:
        calls = heard[attention]
        weights = torch.cat([own for own, _ in calls], dim=0)  # [T, S]
        parts = weights[..., None] * calls[0][1]  # [T, S, M]
    width = parts.shape[2]
    own = torch.tanh(decoder.combine(joined))
    changed = joined.repeat(parts.shape[1], 1, 1)  # [S, T, D + M]
    changed[..., -width:] -= parts.transpose(0, 1)
    return _distance(torch.tanh(decoder.combine(changed)), own)
