"""What matters, and the values that are tried of it where nobody says others.

Each range lies around the recipe's own value, which somebody has thought about: a rate up to five
times as large or small, half and double the width, one layer more or less.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from transduce.config import Config, DecoderConfig, EncoderConfig
from transduce.config.model import TransformerOptions, each_layer
from transduce.tuning.space.tuned_values import TunedOption, Value

__all__ = ["KNOWN_OPTIONS", "option_of"]

_RATES = tuple(10 ** (step / 10) for step in range(-7, 8))  # 1/5 to 5
_BATCHES = (0.25, 0.5, 1.0, 2.0)
_WIDTHS = (0.5, 0.75, 1.0, 1.5, 2.0)
_DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
_SMOOTHINGS = (0.0, 0.05, 0.1, 0.15, 0.2)
_BEAMS = (1, 2, 4, 8)
_SHARES = (0.0, 0.3, 0.5, 0.7)
_SIDES = ("encoder", "decoder")
_EIGHT = 8  # widths are multiples of it
_THIRD = 3  # of the layers more or less


def option_of(name: str, key: str, own: Any, others: Sequence[Any]) -> TunedOption:
    """An option that is one key of a recipe; ``own`` stands in its place among the others."""
    return _option(name, own, [(value, {key: value}) for value in others])


def _option(name: str, own: Any, others: Sequence[tuple[Any, dict[str, Any]]]) -> TunedOption:
    values = [Value(own, {}), *(Value(shown, given) for shown, given in others if shown != own)]
    ordered = all(type(value.shown) in (int, float) for value in values)
    if ordered:
        values.sort(key=lambda value: float(value.shown))
    return TunedOption(name, tuple(values), values.index(Value(own, {})), ordered)


def _learning_rate(config: Config) -> TunedOption:
    own = config.training.learning_rate
    return option_of(
        "learning_rate", "training.learning_rate", own, [_two_digits(own * r) for r in _RATES]
    )


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def _batch_tokens(config: Config) -> TunedOption:
    own = config.training.batch_tokens
    others = [max(1, round(own * factor)) for factor in _BATCHES]
    return option_of("batch_tokens", "training.batch_tokens", own, others)


def _width(config: Config) -> TunedOption:
    """Of encoder and decoder, each by the same factor, with their feed-forward layers."""
    stacks = {side: getattr(config.model, side) for side in _SIDES}
    heads = [each_layer(getattr(stack, "heads", 1), 1) for stack in stacks.values()]
    unit = math.lcm(_EIGHT, *(2 * count for each in heads for count in each))
    others = []
    for factor in _WIDTHS:
        given: dict[str, Any] = {}
        for side, stack in stacks.items():
            given[f"model.{side}.width"] = _multiple(stack.width * factor, unit)
            if isinstance(stack, TransformerOptions):
                inner = each_layer(stack.feedforward, stack.layers)
                wide = [_multiple(one * factor, unit) if one else 0 for one in inner]
                given[f"model.{side}.feedforward"] = wide if len({*wide}) > 1 else wide[0]
        if factor != 1:
            others.append((given["model.encoder.width"], given))
    return _option("width", stacks["encoder"].width, others)


def _multiple(value: float, unit: int) -> int:
    return max(1, round(value / unit)) * unit


def _is_unequal(stack: EncoderConfig | DecoderConfig) -> bool:
    return any(isinstance(getattr(stack, name), tuple) for name in type(stack).model_fields)


def _layers(config: Config) -> TunedOption:
    """Of the encoder; of a Transformer of the decoder too."""
    encoder, decoder = config.model.encoder, config.model.decoder
    step = max(1, encoder.layers // _THIRD)
    others = []
    for change in (-step, step):
        if _is_unequal(encoder) or _is_unequal(decoder):
            continue  # what a list says of each layer says nothing of one more
        given = {"model.encoder.layers": encoder.layers + change}
        if isinstance(decoder, TransformerOptions):
            given["model.decoder.layers"] = max(1, decoder.layers + change)
        if encoder.layers + change >= 1:
            others.append((encoder.layers + change, given))
    return _option("layers", encoder.layers, others)


def _dropout(config: Config) -> TunedOption:
    """Of encoder and decoder together."""
    own = config.training.dropout
    if own is None:
        own = config.model.encoder.dropout
    if config.model.begins_with_another or config.training.dropout is not None:
        return option_of("dropout", "training.dropout", own, _DROPOUTS)
    others = [(share, {f"model.{side}.dropout": share for side in _SIDES}) for share in _DROPOUTS]
    return _option("dropout", config.model.encoder.dropout, others)


def _label_smoothing(config: Config) -> TunedOption:
    own = config.training.label_smoothing
    return option_of("label_smoothing", "training.label_smoothing", own, _SMOOTHINGS)


def _beam(config: Config) -> TunedOption:
    return option_of("beam", "search.beam", config.search.beam, _BEAMS)


def _length_normalization(config: Config) -> TunedOption:
    own = config.search.length_normalization
    others = ("none", "average", "gnmt")
    return option_of("length_normalization", "search.length_normalization", own, others)


def _ctc_weight(config: Config) -> TunedOption:
    return option_of("ctc_weight", "search.ctc_weight", config.search.ctc_weight, _SHARES)


# By name, in the order of tables; those of search come last, after training.
KNOWN_OPTIONS: dict[str, Callable[[Config], TunedOption]] = {
    "learning_rate": _learning_rate,
    "batch_tokens": _batch_tokens,
    "width": _width,
    "layers": _layers,
    "dropout": _dropout,
    "label_smoothing": _label_smoothing,
    "beam": _beam,
    "length_normalization": _length_normalization,
    "ctc_weight": _ctc_weight,
}
