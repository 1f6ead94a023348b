"""``transduce shrink`` at the terminal: its arguments and their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from transduce.command_line.cli_options import Json, ModelPath, PartName
from transduce.commands.completing import completion

__all__ = ["ladder", "shrink"]


def shrink(
    model: ModelPath,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new directory.")],
    weights: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="TYPE",
            help="What matrices become: int8, int4 or bfloat16. If none, the smallest that lose "
            "nothing measurable on the recipe's dev data.",
        ),
    ] = None,
    minutes: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="M", help="Minutes to try them in; 10 if none."),
    ] = None,
) -> None:
    """Store a model's weights in fewer bytes: a quarter, with the same answers or nearly so."""
    from transduce.commands.shrink import shrink_model

    shrink_model(model, output, weights, minutes)


def ladder(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help="Model directories, each followed by options as KEY=VALUE that it is run with "
            "(engine=float32); options before the first are those of all.",
            autocompletion=completion.search_options,
        ),
    ],
    data: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="DATA", help="Files with pairs (the first model's test set if none)."),
    ] = None,
    json: Json = None,
    plot: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Draw quality against size and speed (PNG)."),
    ] = None,
    part: PartName = None,
    threads: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(metavar="N", help="Threads of each process; PyTorch's default if none."),
    ] = None,
    rounds: Annotated[
        int, typer.Option(metavar="N", help="Rounds of timing, of which the median counts.")
    ] = 5,
) -> None:
    """Measure forms of a model side by side: bytes, memory, start-up, speed, score."""
    from transduce.commands.measuring.ladder import ladder

    ladder(models, data, json, plot, part, threads=threads, rounds=rounds)
