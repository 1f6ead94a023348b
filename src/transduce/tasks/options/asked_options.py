"""Options as callers give them, held against the table: those that do something are left."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from transduce.errors import ConfigError
from transduce.tasks.options.option_table import OPTIONS, Kind, Option, found_option, names_of

__all__ = ["accepted", "asked_options"]

_SHOWN = 60  # characters of a value
_WHERE = {option.name: option for option in OPTIONS}


def asked_options(options: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """The options of a call that do something, those of ``generate_kwargs`` among them.

    Raises ConfigError for one that is not known, that is refused, or that is given twice.
    """
    asked: dict[str, Any] = {}
    inner = options.get("generate_kwargs")
    if not isinstance(inner, Mapping | None):
        raise ConfigError(f"generate_kwargs must be a mapping; got {type(inner).__name__}")
    outer = {name: value for name, value in options.items() if name != "generate_kwargs"}
    if kind in ("speech", "picture") and (twice := sorted(outer.keys() & (inner or {}).keys())):
        raise ConfigError(f"{twice[0]} must stand beside generate_kwargs or in it; got both")
    outer |= inner or {}
    config = _of_config(outer.pop("generation_config", None))
    for name, value in {**config, **outer}.items():
        option = found_option(name, kind)
        if option is None:
            raise _unknown(name, kind)
        if accepted(option, value):
            asked[name] = value
    return asked


def accepted(option: Option, value: object) -> bool:
    """Whether the value is to be looked at. Raises ConfigError where the option is refused."""
    if option.use == "refused" and not option.is_idle(value):
        shown = str(value)[:_SHOWN]
        raise ConfigError(f"{option.name} must be left out: {option.says}; got {shown}")
    # None is what they write for an option that nobody gave; of top_k it is none of all
    return option.use == "honoured" and (value is not None or option.name == "top_k")


def _unknown(name: str, kind: Kind) -> ConfigError:
    known = names_of(kind)
    close = difflib.get_close_matches(name, [*known, *_WHERE], 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    where = _WHERE.get(name)
    if where is not None and where.place != "constructor":
        hint = f", which is of pipelines of {', '.join(where.kinds)}"
    elif where is not None:
        hint = ", which is given to pipeline() alone"
    return ConfigError(f"option must be one of {', '.join(known)}; got {name}{hint}")


def _of_config(given: Any) -> Mapping[str, Any]:
    """Options of a ``GenerationConfig``, or of a mapping in its place."""
    if given is None or isinstance(given, Mapping):
        return given or {}
    if not callable(getattr(given, "to_diff_dict", None)):
        raise ConfigError(
            f"generation_config must be a GenerationConfig or a mapping; got {type(given).__name__}"
        )
    found: Mapping[str, Any] = given.to_diff_dict()
    return {name: value for name, value in found.items() if value is not None}
