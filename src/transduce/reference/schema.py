"""The JSON schema of a recipe, by which editors complete keys and mark mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transduce.config import Config
from transduce.config.presets import PRESETS
from transduce.reference.sentences import SENTENCES

__all__ = ["recipe_schema"]


def recipe_schema() -> dict[str, Any]:
    """JSON schema of draft 2020-12: every key with its type, bounds, default and sentence."""
    schema = Config.model_json_schema(by_alias=True)
    definitions: Mapping[str, dict[str, Any]] = schema.get("$defs", {})
    for name, section in {"Config": schema, **definitions}.items():
        for key, sentence in SENTENCES.get(name, {}).items():
            section["properties"][key]["description"] = sentence.replace("`", "")
    for section in definitions.values():
        if "kind" in section.get("required", ()):  # a preset may have said it
            section["required"].remove("kind")
    _either(schema)
    presets = definitions["ModelConfig"]["properties"]["preset"]
    presets["anyOf"][0] = {"type": "string", "enum": list(PRESETS)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Transduce recipe",
    }


def _either(node: object) -> None:
    """Sections that are told apart by their kind: without it more than one may fit."""
    if isinstance(node, dict):
        if "discriminator" in node:
            del node["discriminator"]
            node["anyOf"] = node.pop("oneOf")
        for inner in node.values():
            _either(inner)
    elif isinstance(node, list):
        for inner in node:
            _either(inner)
