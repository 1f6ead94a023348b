"""Which models a server was told to answer with, by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from transduce.errors import ConfigError

__all__ = ["named_models"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def named_models(arguments: Sequence[str]) -> dict[str, Path]:
    """From ``MODEL`` and ``NAME=MODEL`` to folders by name; without one it is the folder's.

    Raises ConfigError for a name that cannot stand in an address, and for one given twice.
    """
    found: dict[str, Path] = {}
    for argument in arguments:
        name, equals, path = argument.partition("=")
        if not equals or Path(argument).exists():
            path = argument
            name = re.sub(r"[^A-Za-z0-9._-]", "-", Path(path).resolve().name) or "model"
        if not _NAME.fullmatch(name):
            raise ConfigError(
                "name of a model must be letters, digits, dots and dashes, 100 at most; "
                f"got {name!r}"
            )
        if name in found:
            raise ConfigError(
                f"names of models must differ (NAME=MODEL gives one); got {name} twice"
            )
        found[name] = Path(path)
    return found
