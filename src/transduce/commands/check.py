"""``transduce check``: the data doctor over a recipe's data or over files."""

from __future__ import annotations

from collections.abc import Sequence

from transduce.commands.arguments import split_overrides
from transduce.config import Config, load_config, parse_override
from transduce.data.doctor import examine
from transduce.errors import ConfigError

__all__ = ["check"]


def check(arguments: Sequence[str]) -> str:
    """What was found, as text. Raises ConfigError, DataError."""
    files, overrides = split_overrides(arguments)
    recipes = [path for path in files if path.suffix in (".yaml", ".yml")]
    if recipes and len(files) > 1:
        raise ConfigError(f"RECIPE must stand alone; got {len(files)} files")
    if recipes:
        return examine(load_config(recipes[0], overrides).data).render()
    values = dict(parse_override(text) for text in overrides)
    if files:
        values["data.train"] = [str(path) for path in files]
    return examine(Config().updated(values).data).render()
