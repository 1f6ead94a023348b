"""``transduce adapt`` at the terminal: its arguments and their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from transduce.command_line.cli_options import ModelPath, PartName

__all__ = ["adapt"]


def adapt(
    model: ModelPath,
    pairs: Annotated[
        list[Path], typer.Argument(metavar="PAIRS", help="Sources with the targets you want.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The adapter, a small file.")
    ],
    part: PartName = None,
    rank: Annotated[
        int, typer.Option(metavar="R", help="Of the change: more for many corrections.")
    ] = 4,
    steps: Annotated[int, typer.Option(metavar="N", help="Steps of learning.")] = 280,
) -> None:
    """Learn from a person's corrections, in seconds; the model itself stays as it is."""
    from transduce.commands.adapt import AdaptRequest, adapt

    adapt(AdaptRequest(model, tuple(pairs), output, part, rank, steps))
