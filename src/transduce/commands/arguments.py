"""What several commands read from their arguments, and say, in the same way."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from transduce.config import Config, Files, SearchConfig, parse_override
from transduce.errors import ConfigError, DataError
from transduce.files import clear_left, is_free, write_text
from transduce.reading.pair_files import Example
from transduce.reading.parts import find_part, part_tags, parts_of
from transduce.reading.problems import Problems
from transduce.reference import find_recipe
from transduce.reference.open_sections import OPEN_SECTIONS
from transduce.workflow.corpora.corpora import examples_from_files, test_set_of

__all__ = [
    "recipe_or_data",
    "require_file_place",
    "require_new_folder",
    "require_output",
    "say",
    "search_options",
    "split_overrides",
    "test_examples",
    "test_parts",
    "updated",
    "write_json",
]


def split_overrides(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Inputs apart from ``KEY=VALUE``; what exists as a file is one, whatever its name."""
    # os.path.exists says no, and does not raise, where a text is too long for a name
    overrides = [text for text in arguments if "=" in text and not os.path.exists(text)]
    return [text for text in arguments if text not in overrides], overrides


def recipe_or_data(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Inputs and overrides as ``split_overrides`` gives them, recipes by name as their files."""
    inputs, overrides = split_overrides(arguments)
    return [str(find_recipe(given) or given) for given in inputs], overrides


def search_options(config: Config, beam: int | None, nbest: int | None) -> SearchConfig:
    """The recipe's search with ``--beam`` and ``--nbest``, which widens the recipe's beam where no
    other is asked for. Raises ConfigError.
    """
    values = {"search.beam": beam, "search.nbest": nbest}
    if beam is None and nbest is not None and nbest > config.search.beam:
        values["search.beam"] = None if config.search.sample else nbest
    return config.updated({key: value for key, value in values.items() if value is not None}).search


def updated(config: Config, overrides: Sequence[str]) -> Config:
    """A trained model's config with ``KEY=VALUE`` applied. Raises ConfigError."""
    values = dict(parse_override(text) for text in overrides)
    for key in values:
        if key.partition(".")[0] not in OPEN_SECTIONS:
            known = ", ".join(OPEN_SECTIONS)
            raise ConfigError(f"option of a trained model must be of {known}; got {key}")
    return config.updated(values)


def test_examples(
    config: Config, files: Files | None, problems: Problems, name: str | None
) -> list[Example]:
    """The named files' examples, or those of the recipe's test set. Raises ConfigError.

    ``name`` is the part of a mixture that they are of.
    """
    part = find_part(config, name)
    tags = part_tags(parts_of(config))
    if files is not None:
        return examples_from_files(files, part.data, problems, tags)
    if (examples := test_set_of(part, problems, tags)) is None:
        key = f"data.parts.{part.name}.test" if part.name else "data.test"
        raise ConfigError(f"{key} must name a file with pairs, or DATA be given; got neither")
    return examples


def test_parts(config: Config, problems: Problems) -> dict[str, list[Example]]:
    """The examples of each part of a mixture that has a test set. Raises ConfigError."""
    parts = parts_of(config)
    sets = {name: test_set_of(part, problems, part_tags(parts)) for name, part in parts.items()}
    found = {name: examples for name, examples in sets.items() if examples is not None}
    if not found:
        raise ConfigError(
            "data.parts.NAME.test must name a file with pairs, for one part at least; got none"
        )
    return found


def require_file_place(path: Path | None, option: str) -> None:
    """Before any work: is there a folder for the file that the option names?"""
    if path is None:
        return
    if os.path.isdir(path):
        raise ConfigError(f"{option} must be a file; got the folder {path}")
    if not os.path.isdir(path.parent):
        raise ConfigError(f"{option} must be in a folder that exists; got {path}")


def require_new_folder(path: Path) -> None:
    """Before any work: is ``--output`` free? Raises ConfigError."""
    if path.exists() and not (path.is_dir() and is_free(path)):
        clear_left(path)
        raise ConfigError(f"--output must be a new directory; got {path}, which exists")


def require_output(path: Path | None, kinds: Collection[str], where: str = "") -> None:
    """Likewise for ``--output``, whose name has to end in one of ``kinds``."""
    if path is not None and path.suffix.lower() not in kinds:
        raise ConfigError(f"--output must end in {', '.join(kinds)}{where}; got {path}")
    require_file_place(path, "--output")


def write_json(path: Path, values: Mapping[str, Any], option: str = "--output") -> None:
    """Write the file that an option names. Raises DataError where that cannot be."""
    try:
        write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise DataError(f"{option} must be writable; got {error.strerror}", file=path) from None


def say(line: str) -> None:
    """A line for who waits, on standard error: answers go to standard output."""
    print(line, file=sys.stderr, flush=True)
