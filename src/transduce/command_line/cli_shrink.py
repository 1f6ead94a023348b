"""``transduce shrink`` at the terminal: its arguments and their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from transduce.command_line.cli_options import INTERRUPTED, Json, ModelPath, PartName
from transduce.commands.completing import completion

__all__ = ["ladder", "shrink"]


def shrink(
    model: ModelPath,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new directory.")],
    words: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="[PART=SHARE]... [KEY=VALUE]...",
            help="With --prune: more of its shares, then options of data and training.",
        ),
    ] = None,
    weights: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="TYPE",
            help="What matrices become: int8, int4 or bfloat16. If none, the smallest that lose "
            "nothing measurable on the recipe's dev data.",
        ),
    ] = None,
    prune: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="PART=SHARE",
            help="Remove a share of feedforward, heads, layers or hidden units: feedforward=0.6.",
        ),
    ] = None,
    scores: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="taylor|gates",
            help="With --prune: heads and units by Taylor scores on dev (if nobody says), or by "
            "gates learnt on train.",
        ),
    ] = None,
    minutes: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            metavar="M",
            help="Minutes to try them in, 10 if none; with --prune: of training on.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue training that was stopped.")
    ] = False,
) -> None:
    """Make a model smaller: its weights in fewer bytes, or fewer weights."""
    from transduce.commands.shrinking.shrink import shrink_model

    given = words or []
    if not shrink_model(
        model, output, weights, prune, given, scores=scores, minutes=minutes, resume=resume
    ):
        raise typer.Exit(INTERRUPTED)


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
