"""Values of the right kind for options, so that mutations reach beyond the first check."""

from __future__ import annotations

from typing import Any

import transduce.config.data as data
from transduce.config.presets import PRESETS
from transduce.config.recipe import Config

__all__ = ["WORDS"]


def _words(schema: Any) -> set[Any]:
    """All values that a schema names: kinds, metrics, engines."""
    if isinstance(schema, list):
        return set().union(*map(_words, schema)) if schema else set()
    if not isinstance(schema, dict):
        return set()
    own = {value for value in schema.get("enum", ()) if isinstance(value, str)}
    if isinstance(schema.get("const"), str):
        own.add(schema["const"])
    return own.union(*map(_words, schema.values())) if schema else own


WORDS: tuple[Any, ...] = (
    *sorted(_words(Config.model_json_schema())),
    *PRESETS,
    *(data.TextConfig().kind, "a.tsv", "a.wav|0.3|b.wav", "⟪PL⟫"),
)
