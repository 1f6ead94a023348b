"""The recipe that a tuning ends in: what won, on each line what was tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transduce.automatic.choosing.recipe_lines import RecipeLine, nested, recipe_text
from transduce.config import Config
from transduce.tuning.space.tuned_values import TunedOption, shown_value, with_values

__all__ = ["tuned_lines", "tuned_text"]


def tuned_lines(
    lines: Sequence[RecipeLine], chosen: Sequence[tuple[TunedOption, int]]
) -> list[RecipeLine]:
    """The recipe's lines with those of the options, each at the place of its value that won."""
    given = [option.values[place].given for option, place in chosen]
    values = with_values(nested(lines), given)
    whole = Config.from_mapping(values).model_dump(mode="json", by_alias=True)
    found = {line.key: line for line in lines}
    for side in ("encoder", "decoder"):  # a kind that only the options made necessary
        kind, stack = f"model.{side}.kind", (values.get("model") or {}).get(side)
        if isinstance(stack, Mapping) and "kind" in stack and kind not in found:
            found[kind] = RecipeLine(kind, stack["kind"], "")
    for option, place in chosen:
        for key in option.keys:
            found[key] = RecipeLine(key, _value(whole, key), _reason(option, place))
    return list(found.values())


def tuned_text(lines: Sequence[RecipeLine], heading: Sequence[str]) -> str:
    """YAML, to be trained."""
    return recipe_text(lines, heading)


def _reason(option: TunedOption, place: int) -> str:
    won, own = (shown_value(option.values[p].shown) for p in (place, option.own))
    if place == option.own:
        return f"tuned: {option.range} tried, the recipe's own {own} won"
    return f"tuned: {option.range} tried, {won} won; it was {own}"


def _value(values: Mapping[str, Any], key: str) -> Any:
    for name in key.split("."):
        values = values[name]
    return values
