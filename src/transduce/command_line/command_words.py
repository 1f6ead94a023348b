"""The words of the command line as data, for the Tab key, which cannot wait for the commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

__all__ = ["WORDS", "words_of", "write_words"]

WORDS = Path(__file__).parents[1] / "commands" / "completing" / "command_words.json"

_LONGEST = 80  # characters of what a command is for


def words_of(app: typer.Typer) -> dict[str, Any]:
    """Of the program: its options, and of each command options, arguments and what it is for."""
    group: Any = typer.main.get_command(app)
    context = group.make_context("transduce", [], resilient_parsing=True)
    commands = {
        name: {"help": command.get_short_help_str(limit=_LONGEST), **_of_command(command, context)}
        for name, command in group.commands.items()
    }
    return {**_of_command(group, context), "commands": commands}


def write_words(app: typer.Typer) -> None:
    """Bring the file up to date, after a command or an option has changed."""
    text = json.dumps(words_of(app), indent=1, ensure_ascii=False)
    WORDS.write_text(f"{text}\n", encoding="utf-8")


def _of_command(command: Any, above: typer.Context) -> dict[str, Any]:
    context = command.make_context(command.name, [], parent=above, resilient_parsing=True)
    parameters = command.get_params(context)
    options = [
        {
            "names": sorted([*one.opts, *one.secondary_opts], key=lambda n: (-len(n), n)),
            "help": " ".join((one.help or "").split()),
            "value": not (one.is_flag or one.count),
            "many": one.multiple,
            "offers": _offers(one),
        }
        for one in parameters
        if one.param_type_name == "option"
    ]
    arguments = [
        {"many": one.nargs == -1, "offers": _offers(one)}
        for one in parameters
        if one.param_type_name == "argument"
    ]
    return {"options": options, "arguments": arguments}


def _offers(parameter: Any) -> str | None:
    """The name of the function of ``commands.completion`` that is asked."""
    asked = parameter._custom_shell_complete  # typer has no public name for it
    return None if asked is None else str(_inner(asked).__name__)


def _inner(asked: Any) -> Any:
    """Of typer's function the one that it was made around."""
    cells = (cell.cell_contents for cell in asked.__closure__ or ())
    functions = [one for one in cells if callable(one) and hasattr(one, "__name__")]
    return _inner(functions[0]) if functions else asked
