"""The hidden units of recurrent encoders and decoders.

All layers of a side keep the same number, each its own best: a width is one option.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from transduce.errors import ConfigError
from transduce.models.recurrent import RecurrentDecoder, RecurrentEncoder
from transduce.models.seq2seq import Seq2Seq
from transduce.models.transformer import TransformerDecoder
from transduce.modules.attention_scores import AdditiveScore, MultiHead
from transduce.modules.recurrent import RecurrentLayer
from transduce.workflow.pruning.asked_shares import Side
from transduce.workflow.pruning.prunable_units import (
    LayerOption,
    Place,
    RankedUnits,
    UnitGroup,
    every,
)

__all__ = ["hidden_groups", "with_identities"]

_EIGHT, _WIDE = 8, 64  # of so wide layers multiples of eight are kept
_SCORE = "decoder.attention.score.project"


def hidden_groups(model: Seq2Seq, sides: Sequence[Side]) -> list[UnitGroup]:
    """A group for each side that is recurrent; one for both where they are tied to each other.

    They are tied where the first states are the memory's summary (bridge: copy), and where
    attention multiplies states with the memory as they are (dot, cosine). ``model`` is one of
    :func:`with_identities`. Raises ConfigError where one of two tied sides is asked for.
    """
    encoder, decoder = model.encoder, model.decoder
    own = {
        "encoder": _encoder_units(model) if isinstance(encoder, RecurrentEncoder) else [],
        "decoder": _decoder_units(model) if isinstance(decoder, RecurrentDecoder) else [],
    }
    tied = _tied(model)
    if tied and len(sides) == 1:
        raise ConfigError(
            f"--prune {sides[0]}.hidden must be hidden, of both sides, where the bridge copies or "
            "attention multiplies states with the memory as they are (dot, cosine)"
        )
    if tied:
        units = _joined(own["encoder"], own["decoder"], tied)
        options = [*_options(model, "encoder"), *_options(model, "decoder")]
        step = math.lcm(_encoder_step(model), _decoder_step(model))
        return [UnitGroup("hidden", tuple(units), tuple(options), step)]
    steps = {"encoder": _encoder_step, "decoder": _decoder_step}
    return [
        UnitGroup("hidden", tuple(own[side]), tuple(_options(model, side)), steps[side](model))
        for side in sides
        if own[side]
    ]


def with_identities(model: Seq2Seq) -> None:
    """Put maps that change nothing where units are used without one.

    So every use of a unit is a product with weights. A smaller model has such a map before an
    output that is tied to an embedding, which stays as wide as it is.
    """
    decoder: Any = model.decoder
    if not isinstance(decoder, RecurrentDecoder):
        return
    output = model.output
    if output.project is None and output.weight is model.target_embedding.weight:
        output.project = _identity(decoder.width, output.weight)
    score = getattr(decoder.attention, "score", None)
    if isinstance(getattr(score, "project", None), nn.Identity):
        score.project = _identity(decoder.width, output.weight)  # type: ignore[union-attr]


def _identity(width: int, like: Tensor) -> nn.Linear:
    made = nn.Linear(width, width, bias=False, device=like.device, dtype=like.dtype)
    with torch.no_grad():
        made.weight.copy_(torch.eye(width))
    return made


def _tied(model: Seq2Seq) -> list[tuple[int, int]]:
    """Layers of encoder and decoder whose units are the same, in the order of their places."""
    encoder, decoder = model.encoder, model.decoder
    if not isinstance(encoder, RecurrentEncoder) or not isinstance(decoder, RecurrentDecoder):
        return []
    layers = len(decoder.stack.layers)
    if decoder.bridge.kind == "copy":
        return [(layer, layer) for layer in range(layers)]
    score = getattr(decoder.attention, "score", None)
    tied = getattr(score, "project", None) is not None and _is_identity(score.project)  # type: ignore[union-attr]
    return [(len(encoder.layers) - 1, layers - 1)] if tied else []


def _is_identity(project: Any) -> bool:
    """A map that :func:`with_identities` made; one that was learnt is never exactly that."""
    weight = getattr(project, "weight", None)
    return weight is not None and torch.equal(weight, torch.eye(*weight.shape).to(weight))


def _joined(
    encoder: Sequence[RankedUnits], decoder: Sequence[RankedUnits], tied: Sequence[tuple[int, int]]
) -> Iterator[RankedUnits]:
    """Units of both sides, those of tied layers as one."""
    own, others = dict(tied), {layer for _, layer in tied}
    for layer, units in enumerate(encoder):
        together = units.places
        if layer in own:
            together = (*together, *decoder[own[layer]].places)
        yield RankedUnits(together, units.blocks)
    yield from (units for layer, units in enumerate(decoder) if layer not in others)


def _options(model: Seq2Seq, side: Side) -> list[LayerOption]:
    stack: Any = model.encoder if side == "encoder" else model.decoder
    layers = len(stack.layers if side == "encoder" else stack.stack.layers)
    return [LayerOption(side, "width", layer) for layer in range(layers)]


def _encoder_step(model: Seq2Seq) -> int:
    layer: Any = model.encoder.layers[0]  # type: ignore[attr-defined]
    directions = 1 if layer.back is None else 2
    return directions * (_EIGHT if layer.ahead.width >= _WIDE else 1)


def _decoder_step(model: Seq2Seq) -> int:
    decoder: Any = model.decoder
    heads = decoder.attention.heads.heads if isinstance(decoder.attention, MultiHead) else 1
    return math.lcm(heads, _EIGHT if decoder.width >= _WIDE else 1)


# ---------------------------------------------------------------- what each unit is


def _encoder_units(model: Seq2Seq) -> list[RankedUnits]:
    encoder: Any = model.encoder
    found, last = [], len(encoder.layers) - 1
    for number, layer in enumerate(encoder.layers):
        name, width = f"encoder.layers.{number}", encoder.width
        places = [*_cell(f"{name}.ahead.kernel", layer.ahead)]
        if layer.back is not None:
            places += _cell(f"{name}.back.kernel", layer.back, first=width // 2)
        places += _of_summary(model, number)
        if number < last:
            for direction in ("ahead",) if layer.back is None else ("ahead", "back"):
                after = f"encoder.layers.{number + 1}.{direction}.kernel.weight_ih_l0"
                places.append(Place(after, 1, every(width), reads=True))
        else:
            places += _of_memory(model, width)
        found.append(RankedUnits(tuple(places), 1 if layer.back is None else 2))
    return found


def _cell(name: str, layer: RecurrentLayer, first: int = 0) -> list[Place]:
    """The gates of each unit, and what the layer's own next step reads."""
    width = layer.width
    rows = torch.arange(width)[:, None] + width * torch.arange(_gates(layer))  # [D, G]
    written = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return [
        *(Place(f"{name}.{one}", 0, rows, first=first) for one in written),
        Place(f"{name}.weight_hh_l0", 1, every(width), reads=True, first=first),
    ]


def _gates(layer: RecurrentLayer) -> int:
    return len(layer.kernel.all_weights[0][0]) // layer.width


def _of_summary(model: Seq2Seq, number: int) -> Iterator[Place]:
    """What a decoder's first states read of an encoder's layer."""
    decoder: Any = model.decoder
    layers: Any = model.encoder.layers  # type: ignore[attr-defined]
    if not isinstance(decoder, RecurrentDecoder):
        return
    bridge = decoder.bridge
    for place in range(len(bridge.hidden)):
        read = place if len(layers) == bridge.layers else len(layers) - 1
        if read == number:
            for name in ("hidden", "cell") if len(bridge.cell) else ("hidden",):
                weight = f"decoder.bridge.{name}.{place}.weight"
                yield Place(weight, 1, every(decoder.memory_width), reads=True)


def _of_memory(model: Seq2Seq, width: int) -> Iterator[Place]:
    """What reads the vectors of the memory."""
    decoder: Any = model.decoder
    names = [] if model.ctc is None else ["ctc.project.weight"]
    if isinstance(decoder, TransformerDecoder):
        for layer in range(len(decoder.layers)):
            names += [
                f"decoder.layers.{layer}.memory_attention.{n}.weight" for n in ("key", "value")
            ]
    elif isinstance(decoder.attention, MultiHead):
        names += [f"decoder.attention.heads.{name}.weight" for name in ("key", "value")]
    elif decoder.attention is not None:
        score = decoder.attention.score
        # Of a map that is none the decoder's units are the rows, the memory's the columns.
        names += ["decoder.attention.score.key.weight"] if isinstance(score, AdditiveScore) else []
        if not isinstance(score, AdditiveScore):
            learnt = not _is_identity(score.project)
            yield Place(f"{_SCORE}.weight", 1, every(width), reads=learnt)
        yield Place("decoder.combine.weight", 1, every(width, start=decoder.width), reads=True)
    yield from (Place(name, 1, every(width), reads=True) for name in names)


def _decoder_units(model: Seq2Seq) -> list[RankedUnits]:
    """Those of each layer, then what else is as wide as the decoder."""
    decoder: Any = model.decoder
    width, layers = decoder.width, list(decoder.stack.layers)
    found = []
    for number, layer in enumerate(layers):
        places = _cell(f"decoder.stack.layers.{number}.kernel", layer)
        if len(decoder.bridge.hidden):
            for name in ("hidden", "cell") if len(decoder.bridge.cell) else ("hidden",):
                places += [
                    Place(f"decoder.bridge.{name}.{number}.{one}", 0, every(width))
                    for one in ("weight", "bias")
                ]
        if number + 1 < len(layers):
            after = f"decoder.stack.layers.{number + 1}.kernel.weight_ih_l0"
            places.append(Place(after, 1, every(width), reads=True))
        elif decoder.attention is None:
            places += _of_outputs(model)
        else:
            places += [
                Place("decoder.combine.weight", 1, every(width), reads=True),
                *_asks(decoder),
            ]
        found.append(RankedUnits(tuple(places)))
    if decoder.attention is not None:
        outputs = [Place("decoder.combine.weight", 0, every(width)), *_of_outputs(model)]
        found += [RankedUnits(tuple(outputs)), *_within_attention(decoder)]
    return found


def _asks(decoder: Any) -> list[Place]:
    """What attention reads of a state."""
    width = decoder.width
    if isinstance(decoder.attention, MultiHead):
        return [Place("decoder.attention.heads.query.weight", 1, every(width), reads=True)]
    if isinstance(decoder.attention.score, AdditiveScore):
        return [Place("decoder.attention.score.query.weight", 1, every(width), reads=True)]
    return [Place(f"{_SCORE}.weight", 0, every(width), reads=True)]


def _within_attention(decoder: Any) -> Iterator[RankedUnits]:
    """What is within an attention as wide as the decoder."""
    width, name = decoder.width, "decoder.attention"
    if isinstance(decoder.attention, MultiHead):
        written = [Place(f"{name}.heads.{n}.weight", 0, every(width)) for n in ("key", "value")]
        scaled = f"{name}.heads.query.weight"  # scores are divided by √d of what is left
        read = [
            Place(scaled, 0, every(width), reads=True),  # in scores
            Place(f"{name}.heads.output.weight", 1, every(width), reads=True),
        ]
        yield RankedUnits((*written, *read), decoder.attention.heads.heads, scaled)
        contexts = Place("decoder.combine.weight", 1, every(width, start=width), reads=True)
        yield RankedUnits((Place(f"{name}.heads.output.weight", 0, every(width)), contexts))
    elif isinstance(decoder.attention.score, AdditiveScore):
        maps = ("query.weight", "query.bias", "key.weight")
        places = [Place(f"{name}.score.{one}", 0, every(width)) for one in maps]
        yield RankedUnits((*places, Place(f"{name}.score.vector", 0, every(width), reads=True)))


def _of_outputs(model: Seq2Seq) -> list[Place]:
    """What reads the decoder's outputs."""
    decoder: Any = model.decoder
    width = decoder.width
    name = "output.weight" if model.output.project is None else "output.project.weight"
    places = [Place(name, 1, every(width), reads=True)]
    if model.pointer is not None:
        places.append(Place("pointer.gate.weight", 1, every(width), reads=True))
    if decoder.input_feeding:
        fed = "decoder.stack.layers.0.kernel.weight_ih_l0"
        start = model.target_embedding.width
        places.append(Place(fed, 1, every(width, start=start), reads=True))
    return places
