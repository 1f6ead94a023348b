"""The recipe that a tuning begins with: one that a person wrote, or one chosen for data."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transduce.automatic.choosing.recipe_lines import RecipeLine, nested
from transduce.automatic.planning import plan_files
from transduce.config import Config, parse_override, require_agreement
from transduce.config.yaml import read_recipe, set_dotted
from transduce.errors import ConfigError
from transduce.pretrained.published_model import read_learnt_from
from transduce.reference import is_recipe
from transduce.workflow.fitting.beginning import choose_beginning, whole_recipe

__all__ = ["Untuned", "read_untuned"]

_OPAQUE = "data.parts"  # whose names a person chose


@dataclass(frozen=True)
class Untuned:
    """A recipe as lines with reasons, and its config with all that follows from it.

    ``said`` is what was seen in data for which it was chosen.
    """

    lines: tuple[RecipeLine, ...]
    config: Config
    said: tuple[str, ...] = ()

    @classmethod
    def of(cls, lines: Sequence[RecipeLine], said: Sequence[str] = ()) -> Untuned:
        """Raises ConfigError, and ModelError where ``model.from`` cannot be read."""
        config = Config.from_mapping(nested(lines))
        require_agreement(config)
        known = read_learnt_from(config)
        whole = whole_recipe(config, choose_beginning(config, known))
        return cls(tuple(lines), whole, tuple(said))

    @property
    def recipe(self) -> dict[str, Any]:
        """Nested, as it was written."""
        return nested(self.lines)

    def to_list(self) -> list[list[Any]]:
        """Plain values, from which ``of_list`` makes the same."""
        lines = [[line.key, line.value, line.reason] for line in self.lines]
        plain: list[list[Any]] = json.loads(json.dumps(lines, default=str))
        return plain

    @classmethod
    def of_list(cls, lines: Sequence[Sequence[Any]]) -> Untuned:
        """What ``to_list`` gave."""
        return cls.of([RecipeLine(key, value, reason) for key, value, reason in lines])


def read_untuned(paths: Sequence[str], options: Mapping[str, Any], minutes: float) -> Untuned:
    """A recipe alone, or data, for which a recipe is chosen that trains so many ``minutes``.

    ``options`` are dotted. Raises ConfigError, DataError.
    """
    if not paths:
        raise ConfigError("tune must be given a recipe, or files with pairs; got neither")
    if not any(map(is_recipe, paths)):
        plan = plan_files(paths, options, minutes)
        return Untuned.of([_with_reason(line, options) for line in plan.choices], plan.lines)
    if len(paths) > 1:
        for given in paths:
            if not is_recipe(given) and not os.path.exists(given):
                parse_override(given)  # which says what an option looks like
        raise ConfigError(f"RECIPE must stand alone; got {len(paths)} files")
    values = read_recipe(paths[0])
    for key, value in options.items():
        set_dotted(values, key, value)
    try:
        return Untuned.of(list(_lines(values, "", options)))
    except ConfigError as error:
        raise ConfigError(f"{paths[0]}: {error}") from None


def _with_reason(line: RecipeLine, options: Mapping[str, Any]) -> RecipeLine:
    if line.key == "training.max_minutes" and line.key not in options:
        return RecipeLine(line.key, line.value, "as long as each trial trained")
    return line


def _lines(
    values: Mapping[str, Any], prefix: str, options: Mapping[str, Any]
) -> Iterator[RecipeLine]:
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value and key != _OPAQUE and _is_section(value):
            yield from _lines(value, f"{key}.", options)
        elif prefix or value is not None:  # a section with all its keys commented out
            yield RecipeLine(key, value, "as you said" if key in options else "")


def _is_section(values: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) and "." not in name for name in values)
