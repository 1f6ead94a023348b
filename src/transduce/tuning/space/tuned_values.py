"""An option that is tuned, the values that it may take, and a recipe with some of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transduce.config import Config
from transduce.config.yaml import set_dotted

__all__ = ["TunedOption", "Value", "shown_value", "with_values"]

Shown = float | str


@dataclass(frozen=True)
class Value:
    """What a person sees of it, and the dotted keys of a recipe that say it.

    The recipe's own value says nothing: the recipe does.
    """

    shown: Shown
    given: Mapping[str, Any]


@dataclass(frozen=True)
class TunedOption:
    """``values`` stand in order, if they have one; ``own`` is the place of the recipe's own."""

    name: str
    values: tuple[Value, ...]
    own: int
    ordered: bool = True

    @property
    def keys(self) -> tuple[str, ...]:
        """The recipe's keys that it sets."""
        return tuple(dict.fromkeys(key for value in self.values for key in value.given))

    @property
    def of_search(self) -> bool:
        """Whether it bears on the search alone: a trained model can be scored with each value."""
        return all(key.startswith("search.") for key in self.keys)

    @property
    def range(self) -> str:
        """What is tried, in words."""
        shown = [shown_value(value.shown) for value in self.values]
        if self.ordered and len(shown) > 2:
            return f"{shown[0]} to {shown[-1]}"
        return f"{', '.join(shown[:-1])} and {shown[-1]}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values: equal for options that try the same."""
        values = [[value.shown, dict(value.given)] for value in self.values]
        return {"name": self.name, "own": self.own, "values": values}


def shown_value(shown: Shown) -> str:
    """A value in a table."""
    return f"{shown:g}" if isinstance(shown, int | float) else shown


def with_values(recipe: Mapping[str, Any], given: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A recipe, nested, with dotted keys set in it."""
    values = copy.deepcopy(dict(recipe))
    own: Config | None = None
    for key, value in (pair for each in given for pair in each.items()):
        stack = key.rpartition(".")[0]
        if stack in (
            "model.encoder",
            "model.decoder",
        ):  # which says its kind, where it says a thing
            own = own or Config.from_mapping(recipe)
            _keep_kind(values, own, stack)
        set_dotted(values, key, value)
    return values


def _keep_kind(values: dict[str, Any], own: Config, stack: str) -> None:
    side = stack.partition(".")[2]
    model = values.get("model") or {}
    if own.model.preset is None and not (model.get(side) or {}).get("kind"):
        set_dotted(values, f"{stack}.kind", getattr(own.model, side).kind)
