"""Whole layers of a Transformer, removed one after another: always the one that is missed least."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from transduce.config import ModelConfig
from transduce.errors import ConfigError
from transduce.interfaces import Batch
from transduce.models.linear_recurrent_encoder import LinearRecurrentEncoder
from transduce.models.seq2seq import Seq2Seq
from transduce.models.transformer import TransformerDecoder, TransformerEncoder
from transduce.workflow.evaluate import loss_totals
from transduce.workflow.pruning.asked_shares import AskedShare, Side

__all__ = ["layers_left", "with_layers", "without_layers"]


def layers_left(
    model: Seq2Seq, asked: AskedShare, batches: Sequence[Batch]
) -> dict[Side, list[int]]:
    """The numbers of the layers that stay in each stack that ``asked`` names.

    Before each removal the loss is measured without each layer that is left. Raises ConfigError
    where no stack has layers that can go, or none would be left.
    """
    sides = [side for side in asked.sides if _has_layers(model, side)]
    if not sides or (len(asked.sides) == 1 and sides != [*asked.sides]):
        raise ConfigError(f"--prune {asked.option} must be of a Transformer, whose layers can go")
    found: dict[Side, list[int]] = {}
    for side in sides:
        stays = [*range(len(getattr(model, side).layers))]
        gone = asked.of(len(stays))
        if gone >= len(stays):
            raise ConfigError(
                f"--prune {asked.option} must leave a layer of the {side}'s {len(stays)}"
            )
        for _ in range(gone):
            stays.remove(_least_missed(model, side, stays, batches))
        found[side] = stays
    return found


def _has_layers(model: Seq2Seq, side: Side) -> bool:
    return isinstance(
        getattr(model, side), TransformerEncoder | LinearRecurrentEncoder | TransformerDecoder
    )


def _least_missed(model: Seq2Seq, side: Side, stays: list[int], batches: Iterable[Batch]) -> int:
    losses = {}
    for layer in stays:
        with _of_layers(model, side, [one for one in stays if one != layer]):
            losses[layer] = loss_totals(model, batches).negative_log_likelihood
    return min(stays, key=lambda layer: losses[layer])


@contextmanager
def _of_layers(model: Seq2Seq, side: Side, stays: Sequence[int]) -> Iterator[None]:
    """Within the block a stack has these layers alone."""
    stack: Any = getattr(model, side)
    whole = stack.layers
    stack.layers = nn.ModuleList(whole[layer] for layer in stays)
    try:
        yield
    finally:
        stack.layers = whole


def with_layers(config: ModelConfig, stays: Mapping[Side, Sequence[int]]) -> ModelConfig:
    """The config of a model of these layers."""
    changed: dict[str, object] = {}
    for side, layers in stays.items():
        stack = getattr(config, side)
        lists = {
            name: tuple(value[layer] for layer in layers)
            for name in type(stack).model_fields
            if isinstance(value := getattr(stack, name), tuple)
        }
        changed[side] = stack.model_copy(update={"layers": len(layers), **lists})
    return config.model_copy(update=changed)


def without_layers(
    weights: Mapping[str, Tensor], stays: Mapping[Side, Sequence[int]]
) -> dict[str, Tensor]:
    """The weights of such a model, under the new numbers of its layers."""
    found, by_name = {}, {str(side): layers for side, layers in stays.items()}
    for name, weight in weights.items():
        place = re.match(r"(encoder|decoder)\.layers\.(\d+)\.", name)
        layers = None if place is None else by_name.get(place[1])
        if place is None or layers is None:
            found[name] = weight
        elif int(place[2]) in layers:
            number = layers.index(int(place[2]))
            found[f"{place[1]}.layers.{number}.{name[place.end() :]}"] = weight
    return found
