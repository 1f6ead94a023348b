"""The sections and options of a recipe, as the options page and the schema tell of them."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from transduce.config import Config
from transduce.config.base import holds_mapping, sections_in
from transduce.reference.sentences import SENTENCES

__all__ = ["OptionSection", "RecipeOption", "option_sections", "options_page"]


@dataclass(frozen=True)
class RecipeOption:
    """One key of a section."""

    name: str
    type: str
    default: str
    sentence: str


@dataclass(frozen=True)
class OptionSection:
    """Keys that stand together. ``places``: the dotted keys at which a recipe has the section."""

    kind: type[BaseModel]
    places: tuple[str, ...]
    options: tuple[RecipeOption, ...]


def option_sections() -> list[OptionSection]:
    """All sections that have keys, from the top of a recipe on, each once with all its places."""
    places: dict[type[BaseModel], list[str]] = {}
    for place, kind in _walk(Config, ""):
        if place not in places.setdefault(kind, []):
            places[kind].append(place)
    sections = (OptionSection(kind, tuple(of), _options(kind)) for kind, of in places.items())
    return [section for section in sections if section.options]


def options_page() -> str:
    """``docs/options.md``."""
    blocks = [_HEAD]
    for section in option_sections():
        title = " · ".join(f"`{place}`" for place in section.places if place) or "The top"
        kinds = next((option.type for option in section.options if option.name == "kind"), "")
        blocks.append(f"## {title}{f', kind {kinds}' if kinds and section.places != ('',) else ''}")
        rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
        rows += [f"| `{o.name}` | {o.type} | {o.default} | {o.sentence} |" for o in section.options]
        blocks.append("\n".join(rows))
    return "\n\n".join(blocks) + "\n"


_HEAD = """# Options

English · [中文](zh/options.md) · [all pages](README.md)

All keys of a recipe. A section is a block of YAML: `training:` with its keys below it. On the
command line, write a key with dots: `training.max_minutes=5`. `transduce schema` prints the same
information for editors. This page is generated:
`python -m transduce.reference.options_page > docs/options.md`."""


def _walk(kind: type[BaseModel], place: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield place, kind
    for name, field in kind.model_fields.items():
        inner = ".".join(filter(None, (place, field.alias or name)))
        if holds_mapping(field.annotation):
            inner += ".NAME"
        for section in sections_in(field.annotation):
            yield from _walk(section, inner)


def _options(kind: type[BaseModel]) -> tuple[RecipeOption, ...]:
    found = []
    for name, field in kind.model_fields.items():
        key = field.alias or name
        if any(sections_in(field.annotation)) and key not in SENTENCES.get(kind.__name__, {}):
            continue  # a section, told by itself
        sentence = SENTENCES[kind.__name__][key]
        found.append(RecipeOption(key, _type(field), _default(field), sentence))
    return tuple(found)


def _type(field: FieldInfo) -> str:
    if field.description:
        return field.description.replace("|", "\\|")
    return " or ".join(dict.fromkeys(_names(field.annotation, field.metadata)))


def _names(annotation: Any, metadata: list[Any]) -> Iterator[str]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        yield ", ".join(f"`{value}`" for value in arguments)
    elif origin in (Union, types.UnionType):
        for argument in arguments:
            yield from _names(argument, metadata)
    elif origin is tuple:
        yield "a list"
    elif origin is dict:
        yield "sections by name"
    elif hasattr(annotation, "__metadata__"):  # Annotated
        inner = annotation.__metadata__
        own = [m for of in inner for m in (of.metadata if isinstance(of, FieldInfo) else [of])]
        yield from _names(annotation.__origin__, own)
    elif annotation is type(None):
        yield "none"
    elif annotation in _WORDS:
        yield _WORDS[annotation] + (_bounds(metadata) if annotation in (int, float) else "")


_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
}
_BOUNDS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}


def _bounds(metadata: list[Any]) -> str:
    told = [
        f"{words} {getattr(m, name):,}"
        for name, words in _BOUNDS.items()
        for m in metadata
        if getattr(m, name, None) is not None
    ]
    return f", {', '.join(told)}" if told else ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "must be given"
    if value is None or value == ():
        return "none"
    if isinstance(value, BaseModel):
        return ""
    if value == "":
        return "empty"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


if __name__ == "__main__":
    print(options_page(), end="")
