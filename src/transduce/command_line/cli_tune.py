"""``transduce tune`` at the terminal: its arguments and their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from transduce.command_line.cli_options import INTERRUPTED, Download
from transduce.commands.completing import completion

__all__ = ["tune"]


def tune(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE|DATA",
            help="A recipe (YAML), or files with pairs, for which one is chosen first; then "
            "options as KEY=VALUE.",
            autocompletion=completion.recipe_and_options,
        ),
    ],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--output", "-o", metavar="DIR", help="Where all goes; runs/NAME-tuning if none."
        ),
    ] = None,
    minutes: Annotated[
        float, typer.Option(metavar="M", help="Minutes of all together, those before counted.")
    ] = 60.0,
    jobs: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(metavar="N", help="Trials side by side; one a core if not given."),
    ] = None,
    tried: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--try",
            metavar="OPTION",
            help="What is tried: learning_rate, dropout=0,0.1,0.3, training.weight_decay=0..0.1; "
            "may be repeated. All that matters if none.",
        ),
    ] = None,
    download: Download = False,
) -> None:
    """Find better options for a recipe; the same command goes on where it was stopped."""
    from transduce.commands.tune import tune

    if not tune(arguments, output, minutes, jobs, tried or [], download=download):
        raise typer.Exit(INTERRUPTED)
