"""What typer asks for at the Tab key, in a shell that ``tab_key`` does not know."""

from __future__ import annotations

from typer import Context

from transduce.commands.completing import offered_words

__all__ = ["formats", "recipe_and_options", "recipes", "search_options"]


def recipe_and_options(ctx: Context, incomplete: str) -> list[str]:
    """In the place of a recipe, or of an option behind it."""
    return offered_words.recipe_and_options(_before(ctx), incomplete)


def search_options(ctx: Context, incomplete: str) -> list[str]:
    """Behind a trained model: the options that it can still be told."""
    return offered_words.search_options(_before(ctx), incomplete)


def recipes(ctx: Context, incomplete: str) -> list[str]:
    """Recipes that come with the package."""
    return offered_words.recipes(_before(ctx), incomplete)


def formats(ctx: Context, incomplete: str) -> list[str]:
    """Of ``predict --format``."""
    return offered_words.formats(_before(ctx), incomplete)


def _before(ctx: Context) -> list[str]:
    """The words of the command that its list of arguments has so far."""
    return [text for value in ctx.params.values() if isinstance(value, list) for text in value]
