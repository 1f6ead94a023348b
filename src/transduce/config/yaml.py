"""Nested mappings out of YAML text and ``KEY=VALUE`` overrides; knows no schema."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from transduce.config.wording import short
from transduce.errors import ConfigError
from transduce.untrusted.bounded import MEGABYTE, read_text

__all__ = ["differences", "parse_override", "read_recipe", "set_dotted"]


_LARGEST = MEGABYTE // 4  # what the parser reads in seconds; recipes have a few kilobytes
_MOST_VALUES = 100_000


class _UniqueKeys(yaml.SafeLoader):
    """YAML's plain types only; a key given twice is refused, not overwritten."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue  # an odd key; the schema refuses it
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"key {key_node.value!r} is given twice",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def _parse(text: str) -> Any:
    """Raises yaml.YAMLError alone, whatever a value is said to be (0x_, 2020-13-45, !!float x)."""
    loader = None
    try:
        loader = _UniqueKeys(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > _MOST_VALUES:
            raise ValueError(f"it must have {_MOST_VALUES:,} values at most, aliases counted")
        return loader.construct_document(node)
    except yaml.YAMLError:
        raise
    except ValueError as error:
        raise yaml.YAMLError(str(error)) from None
    except RecursionError:
        raise yaml.YAMLError("it must not be nested so deep") from None
    except Exception:  # PyYAML lets out what its constructors trip over: AttributeError and others
        raise yaml.YAMLError("each value must be what its tag says") from None
    finally:
        if loader is not None:
            loader.dispose()


def _size(node: yaml.Node, known: dict[yaml.Node, int]) -> int:
    """Values of a node, those of an alias as often as it stands there. Raises ValueError."""
    if node in known:
        return known[node]
    known[node] = _MOST_VALUES + 1  # what holds itself is endless
    inner = [] if isinstance(node, yaml.ScalarNode) else node.value
    nodes = (each for entry in inner for each in (entry if isinstance(entry, tuple) else (entry,)))
    known[node] = 1 + sum(_size(each, known) for each in nodes)
    return known[node]


def read_recipe(path: str | Path) -> dict[str, Any]:
    """Read a recipe as a nested mapping.

    Raises ConfigError naming the file and, for broken YAML, the line.
    """
    try:
        text = read_text(path, _LARGEST)
    except OSError as error:
        raise ConfigError(
            f"recipe must be a readable file; got {path} ({error.strerror})"
        ) from None
    except ValueError:
        raise ConfigError(f"recipe must be UTF-8 text; got {path}") from None
    try:
        values = _parse(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: recipe must be valid YAML; {error.problem}") from None
    except yaml.YAMLError as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"{path}: recipe must be valid YAML; {reason}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path}: recipe must be a mapping of sections; got {type(values).__name__}"
        )
    return values


def parse_override(text: str) -> tuple[str, Any]:
    """Split ``training.max_minutes=10`` into its dotted key and its YAML value."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(f"override must be of the form KEY=VALUE; got {short(text)}")
    try:
        return key, _parse(value)
    except yaml.YAMLError:
        raise ConfigError(f"value of {key} must be valid YAML; got {short(value)}") from None


def set_dotted(values: dict[str, Any], key: str, value: Any) -> None:
    """Set ``training.max_minutes`` in nested mappings, in place; missing sections are made."""
    *sections, last = key.split(".")
    for section in sections:
        inner = values.get(section)
        if inner is None:
            inner = values[section] = {}
        if not isinstance(inner, dict):
            raise ConfigError(f"{section} must be a section to set {key}; got {short(inner)}")
        values = inner
    values[last] = value


def differences(values: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of ``values`` that differ from ``base``; all of them if the ``kind`` does."""
    if values.get("kind") != base.get("kind"):
        return dict(values)
    changed = {}
    for key, value in values.items():
        known = base.get(key)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            if inner := differences(value, known):
                changed[key] = inner
        elif key not in base or value != known:
            changed[key] = value
    return changed
