"""What pydantic finds wrong with a recipe, as one line that names the key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from transduce.config.base import LONGEST_PATH, holds_mapping, sections_in

__all__ = ["describe", "short"]

Models = list[type[BaseModel]]

_LONGEST_VALUE = 80

# pydantic's type of error → what the value must be
_EXPECTED = {
    "missing": "given",
    "model_type": "a section of keys",
    "model_attributes_type": "a section of keys",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of at most 64 bits",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "string_unicode": "valid Unicode text",
    "path_type": "a path",
    "tuple_type": "a list",
    "list_type": "a list",
    "recursion_loop": "a plain value, not one that contains itself",
    "odd_path": f"a path of at most {LONGEST_PATH:,} bytes, none of them NUL",
}
# What lies beyond a bound, whatever else may stand in its place.
_BOUNDS = {
    "greater_than_equal": ("at least {}", "ge"),
    "greater_than": ("more than {}", "gt"),
    "less_than_equal": ("at most {}", "le"),
    "less_than": ("less than {}", "lt"),
    "string_too_long": ("text of at most {} characters", "max_length"),
    "too_long": ("a list of at most {} entries", "max_length"),
}


def describe(error: ValidationError, root: type[BaseModel], values: Mapping[str, Any]) -> str:
    """One line for the first problem in ``values``, which ``root`` has refused.

    Unknown keys come first: a mistyped key is often why another thing is
    missing. A field with a ``description`` is described by it, as a whole,
    instead of by what each alternative of its type has to say.
    """
    problems = error.errors(include_url=False)
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    if problem["type"] != "extra_forbidden":
        problem = _nearest_bound(problems, root)
    kind, location = problem["type"], problem["loc"]
    if location[-1:] == ("[key]",):
        return _odd_name(problem, root)
    named = kind in {"extra_forbidden", "missing", "invalid_key"}  # the last step is a key
    keys, models, field, depth = _locate(location[:-1] if named else location, root)
    if kind == "extra_forbidden":
        return _unknown_key([*keys, str(location[-1])], models, values, root)
    if kind == "invalid_key":
        return f"{_dotted([*keys, str(location[-1])])} must be a key of text"
    if field is not None and field.description and not _names_more(problem, field.description):
        return _wrong(keys[:depth], field.description, _lookup(values, keys[:depth]))
    if kind == "missing":
        return f"{_dotted([*keys, str(location[-1])])} must be given"
    return _described_by_kind(problem, keys, models)


def _is_bound(problem: ErrorDetails) -> bool:
    return problem["type"] in _BOUNDS or problem["type"] == "odd_path"


def _names_more(problem: ErrorDetails, description: str) -> bool:
    """Whether a problem is a bound that the field's description does not tell."""
    if problem["type"] == "odd_path":
        return True
    return problem["type"] in _BOUNDS and _bound(problem) not in description


def _nearest_bound(problems: Sequence[ErrorDetails], root: type[BaseModel]) -> ErrorDetails:
    """The first problem; where its field has a choice of shapes, one that only a bound refuses."""
    keys, _, _, depth = _locate(problems[0]["loc"], root)
    for problem in filter(_is_bound, problems):
        if _locate(problem["loc"], root)[0][:depth] == keys[:depth]:
            return problem
    return problems[0]


def _odd_name(problem: ErrorDetails, root: type[BaseModel]) -> str:
    """YAML reads some names as other things: ``no`` is false, ``2021`` a number."""
    *location, given, _ = problem["loc"]
    keys = _locate(location, root)[0]
    if _is_bound(problem):
        return _wrong(keys, f"names, each {_bound(problem)}", given)
    name = {"0": "false (no, off)", "1": "true (yes, on)"}.get(str(given), given)
    return f"{_dotted(keys)} must have names of text, in quotation marks; got {name}"


def _bound(problem: ErrorDetails) -> str:
    """What a value may be at most, or at least, in digits that a person reads at a glance."""
    wording, name = _BOUNDS[problem["type"]]
    context = problem.get("ctx", {})
    if context.get("field_type") == "Dictionary":
        wording = "at most {} names"
    limit = context[name]
    whole = float(limit).is_integer()
    return wording.format(f"{int(limit):,}" if whole else f"{limit:g}")


def _described_by_kind(problem: ErrorDetails, keys: list[str], models: Models) -> str:
    kind, value, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "union_tag_not_found":
        return f"{_dotted([*keys, 'kind'])} must be given: one of {_tags(models)}"
    if kind == "union_tag_invalid":
        return _wrong([*keys, "kind"], f"one of {_tags(models)}", value["kind"])
    if kind == "literal_error":
        options = context["expected"].replace(" or ", ", ").replace("'", "")
        return _wrong(keys, f"one of {options}", value)
    if kind == "value_error":
        message = problem["msg"].removeprefix("Value error, ")
        return f"{_dotted(keys)}: {message}" if keys else message
    if kind in _BOUNDS:
        return _wrong(keys, _bound(problem), value)
    expected = _EXPECTED.get(kind)
    if expected is not None:
        return _wrong(keys, expected.format(**context), value)
    message = problem["msg"]
    return f"{_dotted(keys)}: {message[:1].lower()}{message[1:]}; got {short(value)}"


def _tags(models: Models) -> str:
    """The kinds that a person may choose from."""
    return ", ".join(dict.fromkeys(str(kind) for model in models for kind in _kinds(model)))


def _unknown_key(
    keys: list[str], models: Models, values: Mapping[str, Any], root: type[BaseModel]
) -> str:
    section = _lookup(values, keys[:-1])
    kind = section.get("kind") if isinstance(section, Mapping) else None
    tagged = [model for model in models if kind in _kinds(model)]
    known = list(dict.fromkeys(name for model in tagged or models for name in _names(model)))
    near = difflib.get_close_matches(keys[-1], known, n=1)
    if not near and len(keys) <= 2:  # deeper down a person knew which section they wrote
        near = _elsewhere(keys[-1], root)[:1]
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    of_kind = f" of kind {kind}" if tagged else ""
    return f"{_dotted(keys)} must be a known key{of_kind}; {hint}"


def _elsewhere(key: str, model: type[BaseModel], above: tuple[str, ...] = ()) -> list[str]:
    """Where in other sections a key of this name stands, dotted, the highest first."""
    found, below = [], []
    for name, field in _names(model).items():
        if name == key and above:
            found.append(_dotted([*above, name]))
        if not holds_mapping(field.annotation):  # under names that a recipe chooses
            for section in sections_in(field.annotation):
                below += _elsewhere(key, section, (*above, name))
    return list(dict.fromkeys([*found, *sorted(below, key=lambda place: place.count("."))]))


def _locate(
    location: Sequence[int | str], root: type[BaseModel]
) -> tuple[list[str], Models, FieldInfo | None, int]:
    """Follow pydantic's location down the schema, past its names for alternatives.

    Gives the keys that a person wrote, the sections possible there, the last
    field on the way and how many keys lead to it.
    """
    keys: list[str] = []
    models: Models = [root]
    field: FieldInfo | None = None
    depth = 0
    named = False  # whether the next step is a name that the recipe chose
    for step in location:
        if named:
            keys.append(str(step))
            named, field = False, None  # what describes them all is not about this one
            continue
        if isinstance(step, int):
            keys.append(str(step))
            continue
        found = next((_names(model)[step] for model in models if step in _names(model)), None)
        if found is not None:
            keys.append(step)
            field, models, depth = found, list(sections_in(found.annotation)), len(keys)
            named = holds_mapping(found.annotation)
        else:
            models = [m for m in models if step == m.__name__ or step in _kinds(m)] or models
    return keys, models, field, depth


def _names(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _kinds(model: type[BaseModel]) -> tuple[Any, ...]:
    """The values of ``kind`` that choose this alternative, none where it has no fixed ones."""
    field = model.model_fields.get("kind")
    if field is None or get_origin(field.annotation) is not Literal:
        return ()
    kinds = get_args(field.annotation)
    return kinds if field.is_required() or len(kinds) == 1 else ()


def _lookup(values: Any, keys: list[str]) -> Any:
    for key in keys:
        if isinstance(values, Mapping):
            values = values.get(key)
        elif isinstance(values, list | tuple) and key.isdecimal() and int(key) < len(values):
            values = values[int(key)]
        else:
            return values
    return values


def _wrong(keys: list[str], expected: str, value: Any) -> str:
    got = "" if expected == "given" else f"; got {short(value)}"
    return f"{_dotted(keys) or 'recipe'} must be {expected}{got}"


def short(value: Any) -> str:
    """A value as an error shows it: its beginning."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an endless number, lists in lists in lists
        return f"a {type(value).__name__} too large to show"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _dotted(keys: list[str]) -> str:
    return ".".join(keys)
