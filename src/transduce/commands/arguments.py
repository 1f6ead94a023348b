"""What several commands read from their arguments in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transduce.config import Config, Files
from transduce.data.corpus import Example
from transduce.errors import ConfigError
from transduce.pipeline.corpora import examples_from_files

__all__ = ["split_overrides", "test_examples"]


def split_overrides(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Files apart from ``KEY=VALUE``; what exists as a file is one, whatever its name."""
    overrides = [text for text in arguments if "=" in text and not Path(text).exists()]
    return [Path(text) for text in arguments if text not in overrides], overrides


def test_examples(config: Config, files: Sequence[Path]) -> list[Example]:
    """The named files' examples, or those of the recipe's test set. Raises ConfigError."""
    chosen: Files | None = list(files) if files else config.data.test
    if chosen is None:
        raise ConfigError("data.test must name a file with pairs, or DATA be given; got neither")
    return examples_from_files(chosen, config.data)
