"""Units of a model that can be removed: where they stand in its tensors, and in its config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.config import ModelConfig
from transduce.models.seq2seq import Seq2Seq
from transduce.workflow.pruning.asked_shares import PrunedPart, Side

__all__ = [
    "LayerOption",
    "Place",
    "RankedUnits",
    "UnitGroup",
    "every",
    "gradients_asked",
    "weights_read",
    "with_options",
]


@dataclass(frozen=True)
class Place:
    """Unit ``first`` + u has the entries ``owned[u]``, int64 ``[U', k]``, of dimension ``dim``.

    ``reads``: these weights are what multiplies the unit on its way to others, each use once. So a
    factor on the unit is one on them.
    """

    name: str
    dim: int
    owned: Tensor
    reads: bool = False
    first: int = 0

    @property
    def units(self) -> slice:
        """The units that are in this tensor."""
        return slice(self.first, self.first + len(self.owned))


@dataclass(frozen=True)
class RankedUnits:
    """Units that are ranked among each other, in ``blocks`` of which each keeps as many.

    ``scaled`` is a tensor that is multiplied by the root of the share that is kept.
    """

    places: tuple[Place, ...]
    blocks: int = 1
    scaled: str | None = None

    @property
    def count(self) -> int:
        """U."""
        return max(place.first + len(place.owned) for place in self.places)


@dataclass(frozen=True)
class LayerOption:
    """An option of a layer that counts units, each as ``times / over`` of it."""

    side: Side
    name: str
    layer: int
    times: int = 1
    over: int = 1


@dataclass(frozen=True)
class UnitGroup:
    """Units of which a multiple of ``step`` is kept, and as many of the others in ``units``.

    The first of ``units`` is what was asked for; others follow, as their widths are one option.
    """

    part: PrunedPart
    units: tuple[RankedUnits, ...]
    options: tuple[LayerOption, ...]
    step: int = 1

    @property
    def count(self) -> int:
        """Units of the first."""
        return self.units[0].count

    @property
    def sides(self) -> set[Side]:
        """The stacks whose options it changes."""
        return {option.side for option in self.options}


def every(count: int, width: int = 1, start: int = 0) -> Tensor:
    """The entries of ``count`` units that stand one behind the other, ``width`` each."""
    return torch.arange(start, start + count * width).view(count, width)


def with_options(
    config: ModelConfig, groups: Sequence[UnitGroup], kept: Sequence[int]
) -> ModelConfig:
    """The config of a model in which so many units of each group are left."""
    lists: dict[tuple[Side, str], list[int]] = {}
    for group, count in zip(groups, kept, strict=True):
        for option in group.options:
            values = lists.setdefault((option.side, option.name), _values(config, option))
            values[option.layer] = count * option.times // option.over
    stacks: dict[Side, dict[str, int | tuple[int, ...]]] = {}
    for (side, name), values in lists.items():
        one = len({*values}) == 1
        stacks.setdefault(side, {})[name] = values[0] if one else tuple(values)
    changed: dict[str, object] = {
        side: _changed(config, side, options) for side, options in stacks.items()
    }
    if config.embedding_width is None and any("width" in options for options in stacks.values()):
        changed["embedding_width"] = config.encoder.width  # embeddings stay as wide as they are
    return config.model_copy(update=changed)


def _values(config: ModelConfig, option: LayerOption) -> list[int]:
    stack = getattr(config, option.side)
    value = getattr(stack, option.name)
    if value is None and option.name == "memory_heads":
        value = stack.heads
    return [*value] if isinstance(value, tuple) else [value] * stack.layers


def _changed(
    config: ModelConfig, side: Side, options: Mapping[str, int | tuple[int, ...]]
) -> object:
    """A stack with options checked; heads stay as wide as they are."""
    stack = getattr(config, side)
    values = stack.model_dump()
    if {"heads", "memory_heads"} & {*options}:
        values["head_width"] = stack.head_size
        if "memory_heads" in values and values["memory_heads"] is None:
            values["memory_heads"] = values["heads"]
    values |= options
    return type(stack).model_validate(values)


def weights_read(model: Seq2Seq, groups: Sequence[UnitGroup]) -> dict[str, Tensor]:
    """Those of the model that read units of the groups, by name."""
    named = dict(model.named_parameters())
    places = (place for group in groups for units in group.units for place in units.places)
    return {
        place.name: named[place.name] for place in places if place.reads and place.name in named
    }


@contextmanager
def gradients_asked(weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Within the block these weights have gradients."""
    before = {name: weight.requires_grad for name, weight in weights.items()}
    for weight in weights.values():
        weight.requires_grad_(True)
    try:
        yield
    finally:
        for name, weight in weights.items():
            weight.requires_grad_(before[name])
