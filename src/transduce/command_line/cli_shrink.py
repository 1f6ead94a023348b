"""``transduce shrink`` at the terminal: its arguments and their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from transduce.command_line.cli_options import ModelPath

__all__ = ["shrink"]


def shrink(
    model: ModelPath,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new directory.")],
    weights: Annotated[
        str, typer.Option(metavar="TYPE", help="What matrices become: int8, int4 or bfloat16.")
    ] = "int8",
) -> None:
    """Store a model's weights in fewer bytes: a quarter, with the same answers or nearly so."""
    from transduce.commands.shrink import shrink_model

    shrink_model(model, output, weights)
