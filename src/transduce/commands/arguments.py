"""What several commands read from their arguments in the same way."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from transduce.config import Config, Files, parse_override
from transduce.errors import ConfigError
from transduce.reading.pair_files import Example
from transduce.reading.parts import Part, find_part, part_tags, parts_of
from transduce.reading.problems import Problems
from transduce.reference import find_recipe
from transduce.workflow.corpora.corpora import examples_from_files, held_out_test

__all__ = [
    "is_recipe",
    "recipe_or_data",
    "require_file_place",
    "split_overrides",
    "test_examples",
    "test_parts",
    "updated",
]

# What a trained model can still be told; its other sections made it what it is.
_OPEN = ("data", "search", "neighbours", "evaluation", "engine")


def split_overrides(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Inputs apart from ``KEY=VALUE``; what exists as a file is one, whatever its name."""
    # os.path.exists says no, and does not raise, where a text is too long for a name
    overrides = [text for text in arguments if "=" in text and not os.path.exists(text)]
    return [text for text in arguments if text not in overrides], overrides


def is_recipe(path: str) -> bool:
    """Whether a file's name says that it is YAML."""
    return Path(path).suffix.lower() in (".yaml", ".yml")


def recipe_or_data(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Inputs and overrides as ``split_overrides`` gives them, recipes by name as their files."""
    inputs, overrides = split_overrides(arguments)
    return [str(find_recipe(given) or given) for given in inputs], overrides


def updated(config: Config, overrides: Sequence[str]) -> Config:
    """A trained model's config with ``KEY=VALUE`` applied. Raises ConfigError."""
    values = dict(parse_override(text) for text in overrides)
    for key in values:
        if key.partition(".")[0] not in _OPEN:
            raise ConfigError(f"option of a trained model must be of {', '.join(_OPEN)}; got {key}")
    return config.updated(values)


def test_examples(
    config: Config, files: Files | None, problems: Problems, name: str | None
) -> list[Example]:
    """The named files' examples, or those of the recipe's test set. Raises ConfigError.

    ``name`` is the part of a mixture that they are of.
    """
    part = find_part(config, name)
    return _part_examples(config, part, part.data.test if files is None else files, problems)


def test_parts(config: Config, problems: Problems) -> dict[str, list[Example]]:
    """The examples of each part of a mixture that has a test set. Raises ConfigError."""
    found = {
        part.name: _part_examples(config, part, part.data.test, problems)
        for part in parts_of(config).values()
        if part.data.test is not None or part.data.test_fraction
    }
    if not found:
        raise ConfigError(
            "data.parts.NAME.test must name a file with pairs, for one part at least; got none"
        )
    return found


def _part_examples(
    config: Config, part: Part, files: Files | None, problems: Problems
) -> list[Example]:
    tags = part_tags(parts_of(config))
    if files is None and part.data.test_fraction:
        return held_out_test(part, problems, tags)
    if files is None:
        key = f"data.parts.{part.name}.test" if part.name else "data.test"
        raise ConfigError(f"{key} must name a file with pairs, or DATA be given; got neither")
    return examples_from_files(files, part.data, problems, tags)


def require_file_place(path: Path | None, option: str) -> None:
    """Before any work: is there a folder for the file that the option names?"""
    if path is None:
        return
    if os.path.isdir(path):
        raise ConfigError(f"{option} must be a file; got the folder {path}")
    if not os.path.isdir(path.parent):
        raise ConfigError(f"{option} must be in a folder that exists; got {path}")
