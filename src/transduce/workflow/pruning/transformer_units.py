"""The units of Transformers: those of feed-forward blocks, and attention heads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from transduce.models.linear_recurrent_encoder import LinearRecurrentEncoder
from transduce.models.seq2seq import Seq2Seq
from transduce.models.transformer import TransformerDecoder, TransformerEncoder
from transduce.modules.attention import MultiHeadAttention
from transduce.modules.transformer import DecoderLayer, FeedForward, LinearRecurrentEncoderLayer
from transduce.workflow.pruning.asked_shares import Side
from transduce.workflow.pruning.prunable_units import (
    LayerOption,
    Place,
    RankedUnits,
    UnitGroup,
    every,
)

__all__ = ["feedforward_groups", "head_groups"]

_EIGHT = 8  # units are kept in multiples of it, which vectors of numbers are
_WIDE = 64  # where a block has so many, or such a multiple


def feedforward_groups(model: Seq2Seq, side: Side) -> Iterator[UnitGroup]:
    """A group for each feed-forward block of a stack.

    Of a gated block the option says 3/2 of the units, which are a multiple of 8 (see
    :class:`FeedForward`).
    """
    for layer, module in enumerate(_layers(model, side)):
        feed = module.feedforward
        if not isinstance(feed, FeedForward):
            continue
        name, count = f"{side}.layers.{layer}.feedforward", len(feed.inner.weight)
        maps = {"inner": feed.inner} | ({} if feed.gate is None else {"gate": feed.gate})
        places = [
            *(place for one, linear in maps.items() for place in _writes(f"{name}.{one}", linear)),
            Place(f"{name}.output.weight", 1, every(count), reads=True),
        ]
        gated = feed.gate is not None
        option = LayerOption(side, "feedforward", layer, *((3, 2) if gated else (1, 1)))
        step = _EIGHT if gated or count >= _WIDE or not count % _EIGHT else 1
        yield UnitGroup("feedforward", (RankedUnits(tuple(places)),), (option,), step)


def _writes(name: str, linear: nn.Linear, width: int = 1, count: int | None = None) -> list[Place]:
    """The rows of a map that write the units, and what they are added."""
    owned = every(count or len(linear.weight) // width, width)
    places = [Place(f"{name}.weight", 0, owned)]
    return places if linear.bias is None else [*places, Place(f"{name}.bias", 0, owned)]


def head_groups(model: Seq2Seq, side: Side) -> Iterator[UnitGroup]:
    """A group for each attention of a stack; one for all where they share a table of distances.

    Where heads share keys and values, those of one pair are a unit.
    """
    stack, shared = getattr(model, side), []
    for layer, module in enumerate(_layers(model, side)):
        name = f"{side}.layers.{layer}"
        if isinstance(module, LinearRecurrentEncoderLayer):
            continue
        if not isinstance(getattr(module, "attention", None), MultiHeadAttention):  # SSRU
            group = _heads(f"{name}.memory_attention", module.memory_attention, side, layer)
            yield group
            continue
        group = _heads(f"{name}.attention", module.attention, side, layer)
        if stack.relative is None:
            yield group
        else:
            shared.append(group)
        if isinstance(module, DecoderLayer):
            memory = module.memory_attention
            yield _heads(f"{name}.memory_attention", memory, side, layer, over_memory=True)
    if shared:
        together = shared[0].units[0].count
        heads = stack.relative.weight.shape[1]
        table = Place(f"{side}.relative.weight", 1, every(together, heads // together))
        places = [place for group in shared for place in group.units[0].places]
        options = tuple(option for group in shared for option in group.options)
        yield UnitGroup("heads", (RankedUnits((*places, table)),), options)


def _heads(
    name: str, attention: MultiHeadAttention, side: Side, layer: int, *, over_memory: bool = False
) -> UnitGroup:
    pairs, width = attention.key_value_heads, attention.head_width
    each = attention.heads // pairs
    places = [
        *_writes(f"{name}.query", attention.query, each * width),
        *_writes(f"{name}.key", attention.key, width),
        *_writes(f"{name}.value", attention.value, width),
        Place(f"{name}.output.weight", 1, every(pairs, each * width), reads=True),
    ]
    options = [LayerOption(side, "memory_heads" if over_memory else "heads", layer, each)]
    if each > 1 and not over_memory:
        options.append(LayerOption(side, "key_value_heads", layer))
    return UnitGroup("heads", (RankedUnits(tuple(places)),), tuple(options))


def _layers(model: Seq2Seq, side: Side) -> list[Any]:
    stack = getattr(model, side)
    known = isinstance(stack, TransformerEncoder | LinearRecurrentEncoder | TransformerDecoder)
    return [*stack.layers] if known else []
