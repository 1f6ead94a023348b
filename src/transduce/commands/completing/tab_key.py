"""The Tab key, answered out of data in less than a tenth of a second.

A shell runs the program at each press, and typer takes several times as long to load as the
answer takes. So the words of all commands stand in ``command_words.json``. The answers have the
forms that typer's scripts for bash, zsh and fish expect (``--show-completion``).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transduce.commands.completing.offered_words import OFFERS

__all__ = ["ASKED", "tab_answer"]

ASKED = "_TRANSDUCE_COMPLETE"
_WORDS = Path(__file__).parent / "command_words.json"
_BASH, _ZSH, _FISH = "complete_bash", "complete_zsh", "complete_fish"

_Item = tuple[str, str]  # a word, and what it means where there is something to say


def tab_answer(environment: Mapping[str, str]) -> tuple[str, int] | None:
    """What to print, and the status; None where only typer knows the shell."""
    asked = environment[ASKED]
    try:
        before, incomplete = _line(environment)
    except (KeyError, ValueError):  # another shell, or not as the scripts ask
        return None
    items = _items(before, incomplete)
    if asked == _FISH and environment.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return "", 0 if items else 1
    return {_BASH: _for_bash, _ZSH: _for_zsh, _FISH: _for_fish}[asked](items), 0


def _line(environment: Mapping[str, str]) -> tuple[list[str], str]:
    """The words behind the program's name, and the one that is not finished."""
    if environment[ASKED] == _BASH:
        words, place = _split(environment["COMP_WORDS"]), int(environment["COMP_CWORD"])
        last = words[place] if place < len(words) else ""
        return words[1:place], "" if last == "=" else last  # bash cuts words there
    if environment[ASKED] not in (_ZSH, _FISH):
        raise ValueError("another shell")
    line = environment["_TYPER_COMPLETE_ARGS"]
    words = _split(line)[1:]
    if not words or line.endswith(" "):
        return words, ""
    return words[:-1], words[-1]


def _split(line: str) -> list[str]:
    """As a shell does; a quote that is still open ends with the line."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:
        words.append(lexer.token)
    return words


class _Typed:
    """The words of one command: options by their names, others in order."""

    def __init__(self) -> None:  # dataclasses take a fifth of the whole time to load
        self.names: list[str] = []
        self.words: list[str] = []
        self.waiting: dict[str, Any] | None = None  # an option whose value comes next


def _items(before: Sequence[str], incomplete: str) -> list[_Item]:
    command = program = json.loads(_WORDS.read_text(encoding="utf-8"))
    given = _read(program, before, until_word=True)
    if given.words:
        name, rest = given.words[0], given.words[1:]
        if name not in program["commands"]:
            return []
        command = program["commands"][name]
        given = _read(command, rest)
    name, equals, value = incomplete.partition("=")
    if name.startswith("-") and equals and (option := _option(command, name)):
        return [(f"{name}={word}", about) for word, about in _offered(option, [], value)]
    if given.waiting is not None:
        return _offered(given.waiting, [], incomplete)
    if incomplete.startswith("-"):
        return _options(command, given, incomplete)
    for number, argument in enumerate(command["arguments"]):
        if argument["many"] or number >= len(given.words):
            return _offered(argument, given.words[number:], incomplete)
    found = program["commands"].items() if command is program else ()
    return [(word, entry["help"]) for word, entry in found if word.startswith(incomplete)]


def _read(command: Mapping[str, Any], words: Sequence[str], until_word: bool = False) -> _Typed:
    """What stands there; ``until_word``: all from the first word that is no option on is another's.

    Of bash, ``--format=csv`` is three words.
    """
    given = _Typed()
    for number, word in enumerate(words):
        if given.waiting is not None:
            if word != "=":
                given.waiting = None
            continue
        name, equals, _ = word.partition("=")
        if name.startswith("-") and (option := _option(command, name)) is not None:
            given.names.append(name)
            given.waiting = option if option["value"] and not equals else None
        elif not word.startswith("-") or word == "-":
            if until_word:
                given.words = [*words[number:]]
                break
            given.words.append(word)
    return given


def _option(command: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    return next((one for one in command["options"] if name in one["names"]), None)


def _options(command: Mapping[str, Any], given: _Typed, incomplete: str) -> list[_Item]:
    """The names of options that may still come."""
    return [
        (name, one["help"])
        for one in command["options"]
        if one["many"] or not set(one["names"]) & set(given.names)
        for name in one["names"]
        if name.startswith(incomplete)
    ]


def _offered(place: Mapping[str, Any], before: Sequence[str], incomplete: str) -> list[_Item]:
    """Nothing where the shell's own names of files are what belongs there."""
    offers = OFFERS.get(place["offers"])
    return [] if offers is None else [(word, "") for word in offers(before, incomplete)]


def _for_bash(items: Sequence[_Item]) -> str:
    return "\n".join(word for word, _ in items)


def _for_fish(items: Sequence[_Item]) -> str:
    return "\n".join(f"{word}\t{about}" if about else word for word, about in items)


_ZSH_MARKS = str.maketrans({'"': '""', "'": "''", "$": r"\$", "`": r"\`", ":": r"\\:"})


def _for_zsh(items: Sequence[_Item]) -> str:
    if not items:
        return "_files"
    lines = (":".join(f'"{text.translate(_ZSH_MARKS)}"' for text in one if text) for one in items)
    return "_arguments '*: :((" + "\n".join(lines) + "))'"
