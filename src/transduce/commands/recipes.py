"""``transduce recipes`` and ``transduce schema``: what recipes there are and what one may say."""

from __future__ import annotations

import json

from transduce.reference.schema import recipe_schema
from transduce.reference.shipped_recipes import about, recipe_names, recipe_text

__all__ = ["recipes", "schema"]


def recipes(name: str | None) -> None:
    """List the recipes, or print one. Raises ConfigError."""
    if name is not None:
        print(recipe_text(name), end="")
        return
    names = recipe_names()
    width = max(map(len, names))
    for one in names:
        print(f"{one:<{width}}  {about(one)}")


def schema() -> None:
    """Print the JSON schema of a recipe."""
    print(json.dumps(recipe_schema(), indent=1, ensure_ascii=False))
