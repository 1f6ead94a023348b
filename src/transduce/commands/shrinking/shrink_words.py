"""What stands behind ``--prune`` at the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transduce.commands.arguments import split_overrides
from transduce.config import parse_override
from transduce.errors import ConfigError
from transduce.workflow.pruning.asked_shares import is_asked

__all__ = ["split_words"]

_SECTIONS = ("data", "training")


def split_words(words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """What stands behind ``--prune PART=SHARE``: more of these, and options of the recipe.

    Raises ConfigError for anything else.
    """
    shares = [word for word in words if is_asked(word)]
    others, overrides = split_overrides([word for word in words if word not in shares])
    if others:
        raise ConfigError(f"MODEL must stand alone, or with KEY=VALUE; got {others[0]!r} too")
    values = dict(map(parse_override, overrides))
    for key in values:
        if key.partition(".")[0] not in _SECTIONS:
            raise ConfigError(f"option must be of {' or '.join(_SECTIONS)}; got {key}")
    return shares, values
