"""One line of a recipe and why it is there; and a recipe of such lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from transduce.config.yaml import set_dotted

__all__ = ["RecipeLine", "given_by_person", "nested", "recipe_text"]

_WIDTH = 10_000  # characters: a value stays on its line


@dataclass(frozen=True)
class RecipeLine:
    """An option's dotted key, its value, and the reason for it in a few words, if there is one."""

    key: str
    value: Any
    reason: str


def given_by_person(choices: Sequence[RecipeLine], given: Mapping[str, Any]) -> list[RecipeLine]:
    """The choices with what a person gave in place of them, and behind them what else was given.

    A whole section that is given (``model.encoder``) takes the place of all choices below it.
    """
    kept = [
        choice
        for choice in choices
        if not any(_is_below(choice.key, key) or _is_below(key, choice.key) for key in given)
        or choice.key in given
    ]
    said = [RecipeLine(c.key, given[c.key], "as you said") if c.key in given else c for c in kept]
    known = {choice.key for choice in said}
    return [*said, *(RecipeLine(k, v, "as you said") for k, v in given.items() if k not in known)]


def _is_below(key: str, section: str) -> bool:
    return key.startswith(f"{section}.")


def nested(choices: Iterable[RecipeLine]) -> dict[str, Any]:
    """The choices as a recipe's nested mapping."""
    values: dict[str, Any] = {}
    for choice in choices:
        set_dotted(values, choice.key, choice.value)
    return values


def recipe_text(choices: Sequence[RecipeLine], heading: Sequence[str]) -> str:
    """The recipe as YAML, the reason of each line beside it, below a heading of comments."""
    reasons = {choice.key: choice.reason for choice in choices}
    lines = [f"# {line}".rstrip() for line in heading]
    lines += _lines(nested(choices), "", reasons)
    return "\n".join(lines) + "\n"


def _lines(values: Mapping[str, Any], prefix: str, reasons: Mapping[str, str]) -> list[str]:
    indent = "  " * prefix.count(".")
    lines = []
    for name, value in values.items():
        key = f"{prefix}{name}"
        if key in reasons:
            comment = f"  # {_plain(reasons[key])}" if reasons[key] else ""
            lines.append(f"{indent}{name}: {_inline(value)}{comment}")
        else:
            lines += [f"{indent}{name}:", *_lines(value, f"{key}.", reasons)]
    return lines


def _inline(value: Any) -> str:
    text = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=_WIDTH, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...")


def _plain(reason: str) -> str:
    """A comment ends where its line does."""
    return " ".join("".join(c if c.isprintable() else " " for c in reason).split())
