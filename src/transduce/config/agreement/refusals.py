"""Keys of a recipe that must be other than they are."""

from __future__ import annotations

from collections.abc import Iterable

from transduce.errors import ConfigError

__all__ = ["refuse"]


def refuse(keys: Iterable[tuple[str, object, str]], where: str) -> None:
    """Raise ConfigError for the first key, of a name, whether it is wrong and what is wanted."""
    for key, wrong, wanted in keys:
        if wrong:
            raise ConfigError(f"{key} must be {wanted} where {where}")
