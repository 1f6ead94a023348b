"""``transduce index`` at the terminal: its arguments and their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from transduce.command_line.cli_options import ModelPath, PartName

__all__ = ["index"]


def index(
    model: ModelPath,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="A new file.")],
    data: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar="[DATA]", help="Pairs; the recipe's training data if none."),
    ] = None,
    part: PartName = None,
) -> None:
    """Store what the decoder thinks at each token of pairs, to look up who taught it what."""
    from transduce.commands.explaining.by_neighbours import index

    index(model, data or [], output, part)
