"""``transduce check``: the data doctor over a recipe's data or over files."""

from __future__ import annotations

from collections.abc import Sequence

from transduce.checks.beyond_positions import UNLIMITED, Positions
from transduce.checks.doctor import examine
from transduce.commands.arguments import recipe_or_data
from transduce.config import Config, load_config, parse_override
from transduce.errors import ConfigError, DataError
from transduce.evaluation.tables import wrapped
from transduce.reference import is_recipe
from transduce.workflow.fitting.pair_limits import target_positions
from transduce.workflow.predicting.source_limits import longest_source

__all__ = ["check"]


def check(arguments: Sequence[str]) -> None:
    """Print what was found. Raises ConfigError, and DataError where a split cannot be used."""
    recipe = _recipe(arguments)
    model = recipe.model
    positions = Positions(longest_source(model), target_positions(model))
    report = examine(recipe.data, recipe, UNLIMITED if model.from_ else positions)
    print(wrapped(report.render()))
    for split in report.splits.values():
        if split.error:
            raise DataError(split.error)


def _recipe(arguments: Sequence[str]) -> Config:
    """A recipe, or one in which all files together are the training data."""
    files, overrides = recipe_or_data(arguments)
    recipes = [path for path in files if is_recipe(path)]
    if recipes and len(files) > 1:
        raise ConfigError(f"RECIPE must stand alone; got {len(files)} files")
    if recipes:
        return load_config(recipes[0], overrides)
    values = dict(parse_override(text) for text in overrides)
    if files:
        values["data.train"] = files
    return Config().updated(values)
