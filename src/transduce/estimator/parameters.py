"""Arguments of a constructor by name, and what lies inside of them: ``options__training__seed``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from transduce.errors import ConfigError, did_you_mean

__all__ = ["parameter_names", "parameters", "replace_parameters"]

_STEP = "__"  # scikit-learn's, between a name and one inside of it


def parameter_names(kind: type[object]) -> list[str]:
    """The arguments of the class's constructor, sorted."""
    return sorted(inspect.signature(kind).parameters)


def parameters(owner: object, *, deep: bool) -> dict[str, Any]:
    """The arguments by name; ``deep`` adds the options, each under its own name."""
    found = {name: getattr(owner, name) for name in parameter_names(type(owner))}
    if deep and isinstance(options := found.get("options"), Mapping):
        inner = {f"options{_STEP}{key.replace('.', _STEP)}": of for key, of in options.items()}
        return {**found, **inner}
    return found


def replace_parameters(owner: object, values: Mapping[str, Any]) -> None:
    """Set arguments, and options by their nested names. Raises ConfigError for an unknown name."""
    known = parameter_names(type(owner))
    for name, value in values.items():
        outer, _, inner = name.partition(_STEP)
        if name in known:
            setattr(owner, name, value)
        elif outer == "options" and "options" in known and inner:
            # A new mapping: clones share the one that they were made with.
            options = getattr(owner, "options", None) or {}
            owner.options = {**options, inner.replace(_STEP, "."): value}  # type: ignore[attr-defined]
        else:
            raise ConfigError(
                f"parameter must be one of {', '.join(known)}, or an option of a recipe "
                f"(options__training__learning_rate); got {name!r}{did_you_mean(name, known)}"
            )
