"""What the shell offers at the Tab key: recipes by name, options as ``KEY=VALUE``, their choices.

The keys come out of the schema that the package carries: pydantic, let alone torch, would take
longer to load than anybody waits for an answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from transduce.reference.open_sections import OPEN_SECTIONS
from transduce.reference.shipped_recipes import recipe_names

__all__ = ["OFFERS", "formats", "recipe_and_options", "recipes", "search_options"]

_SCHEMA = Path(__file__).parents[2] / "recipes" / "schema.json"
_OPEN = tuple(f"{name}{mark}" for name in OPEN_SECTIONS for mark in ".=")


def recipe_and_options(before: Sequence[str], incomplete: str) -> list[str]:
    """In the place of a recipe, or of an option behind it."""
    return [*([] if before else recipes(before, incomplete)), *_options(before, incomplete)]


def search_options(before: Sequence[str], incomplete: str) -> list[str]:
    """Behind a trained model: the options that it can still be told."""
    offered = _options(before, incomplete)
    if any("." not in text and "=" not in text for text in offered):
        return offered  # choices of the option before
    return [text for text in offered if text.startswith(_OPEN)]


def recipes(before: Sequence[str], incomplete: str) -> list[str]:
    """Recipes that come with the package."""
    return [name for name in recipe_names() if name.startswith(incomplete)]


def formats(before: Sequence[str], incomplete: str) -> list[str]:
    """Of ``predict --format``."""
    known = ("text", "jsonl", "csv", "tsv", "srt", "vtt")
    return [name for name in known if name.startswith(incomplete)]


# By the names of the functions that typer calls (``completion``).
OFFERS: dict[str, Callable[[Sequence[str], str], list[str]]] = {
    "recipe_and_options": recipe_and_options,
    "search_options": search_options,
    "recipes": recipes,
    "formats": formats,
}


def _options(args: Sequence[str], incomplete: str) -> list[str]:
    # bash cuts words at "=": what stands before it is a word of its own
    if not incomplete and args and (choices := list(_choices(args[-1]))):
        return choices
    if args[-1:] == ["="] and len(args) > 1:
        return [text for text in _choices(args[-2]) if text.startswith(incomplete)]
    key, equals, value = incomplete.partition("=")
    if equals:
        return [f"{key}={text}" for text in _choices(key) if text.startswith(value)]
    above, dot, last = key.rpartition(".")
    found = [
        f"{above}{dot}{name}{'.' if _is_section(node) else '='}"
        for name, node in sorted(_keys(above).items())
        if name.startswith(last)
    ]
    return _with_more(found[0]) if len(found) == 1 else found


def _with_more(text: str) -> list[str]:
    """What may follow it, too: behind a single answer shells put a space."""
    if text.endswith("."):
        return [text, *_options([], text)]
    key = text[:-1]
    above, _, last = key.rpartition(".")
    values = list(_choices(key))
    for node in _shapes(_keys(above)[last]):
        if "default" in node and not isinstance(node["default"], dict | list):
            values.append(json.dumps(node["default"]).strip('"'))
    return list(dict.fromkeys([text, *(text + value for value in values if value)]))


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    return found


def _shapes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A node with all that may stand in its place."""
    if "$ref" in node:
        node = _schema()["$defs"][node["$ref"].rpartition("/")[2]]
    yield node
    for other in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _shapes(other)


def _is_section(node: Mapping[str, Any]) -> bool:
    return any("properties" in shape for shape in _shapes(node)) and not any(
        "properties" not in shape and shape.get("type") in ("string", "array", "integer")
        for shape in _shapes(node)
    )


def _keys(section: str) -> dict[str, Mapping[str, Any]]:
    """The keys of a section, of whatever kind it may be."""
    nodes: list[Mapping[str, Any]] = [_schema()]
    for name in section.split(".") if section else ():
        nodes = [
            shape["properties"][name]
            for node in nodes
            for shape in _shapes(node)
            if name in shape.get("properties", {})
        ]
    found: dict[str, Mapping[str, Any]] = {}
    for node in nodes:
        for shape in _shapes(node):
            for name, inner in shape.get("properties", {}).items():
                known = found.get(name)
                found[name] = inner if known is None else {"anyOf": [known, inner]}
    return found


def _choices(key: str) -> Iterator[str]:
    above, _, last = key.rpartition(".")
    node = _keys(above).get(last)
    found: dict[str, None] = {}
    for shape in _shapes(node) if node is not None else ():
        values = shape.get("enum", [shape["const"]] if "const" in shape else [])
        if shape.get("type") == "boolean":
            values = ["true", "false"]
        found |= dict.fromkeys(map(str, values))
    yield from found
