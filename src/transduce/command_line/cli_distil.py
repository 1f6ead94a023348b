"""``transduce distil`` at the terminal: its arguments and their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from transduce.command_line.cli_options import PartName
from transduce.commands.completing import completion

__all__ = ["distil"]


def distil(
    teachers: Annotated[
        list[str],
        typer.Argument(
            metavar="TEACHER",
            help="A model directory; several are an ensemble; then options as KEY=VALUE.",
            autocompletion=completion.search_options,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where pairs and recipe go.")
    ],
    data: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(
            metavar="FILE",
            help="Pairs in the place of those that the teacher learnt from; may be repeated.",
        ),
    ] = None,
    sources: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="FILE", help="Sources without targets beside the pairs; may be repeated."
        ),
    ] = None,
    beam: Annotated[Optional[int], typer.Option(metavar="K", help="Beam width.")] = None,  # noqa: UP045
    nbest: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(metavar="N", help="Number of outputs for each source, a pair each."),
    ] = None,
    nearest: Annotated[
        bool,
        typer.Option(
            "--nearest", help="Of these (of the beam if no number) that nearest to the reference."
        ),
    ] = False,
    part: PartName = None,
) -> None:
    """Write what models say to a recipe's sources as data for a smaller one; can be stopped."""
    from transduce.commands.distil import DistilRequest, distil

    distil(
        DistilRequest(
            teachers, output, tuple(data or ()), tuple(sources or ()), beam, nbest, nearest, part
        )
    )
