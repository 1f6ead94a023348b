"""The recipes that come with the package: found by name, listed, printed."""

from __future__ import annotations

import os
from pathlib import Path

from transduce.errors import ConfigError, did_you_mean

__all__ = ["about", "find_recipe", "is_recipe", "recipe_names", "recipe_text"]

_FOLDER = Path(__file__).parent.parent / "recipes"
_SCHEMA = "schema.json"
_MARK = "# yaml-language-server: $schema="


def recipe_names() -> list[str]:
    """The names, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def find_recipe(given: str) -> Path | None:
    """The file of a recipe that is named, where nothing of that name lies here; else none."""
    if os.path.exists(given) or given not in recipe_names():
        return None
    return _FOLDER / f"{given}.yaml"


def is_recipe(path: str) -> bool:
    """Whether a file's name says that it is YAML."""
    return Path(path).suffix.lower() in (".yaml", ".yml")


def about(name: str) -> str:
    """What a recipe is for: the first sentence of its comment."""
    lines = (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    comment = [line.removeprefix("#").strip() for line in lines if line.startswith("# ")]
    words = " ".join(line for line in comment if not line.startswith("yaml-language-server"))
    return words.partition(". ")[0].rstrip(".")


def recipe_text(name: str) -> str:
    """A recipe to begin one's own with; editors find the schema of this installation.

    Raises ConfigError where there is none of the name.
    """
    names = recipe_names()
    if name not in names:
        raise ConfigError(
            f"recipe must be one of {', '.join(names)}; got {name!r}{did_you_mean(name, names)}"
        )
    text = (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    return text.replace(f"{_MARK}{_SCHEMA}", f"{_MARK}{(_FOLDER / _SCHEMA).as_uri()}", 1)
