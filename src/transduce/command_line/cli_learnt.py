"""What is learnt for a trained model, at the terminal: ``transduce adapt``, ``shortlist``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from transduce.command_line.cli_options import ModelPath, PartName

__all__ = ["adapt", "shortlist"]


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
    steps: Annotated[int, typer.Option(metavar="N", help="Steps of learning.")] = 600,
) -> None:
    """Learn from a person's corrections, in seconds; the model itself stays as it is."""
    from transduce.commands.adapt import AdaptRequest, adapt

    adapt(AdaptRequest(model, tuple(pairs), output, part, rank, steps))


def shortlist(
    model: ModelPath,
    data: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="[DATA]",
            help="Pairs; the recipe's training data if none. KEY=VALUE of the recipe.",
        ),
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="WAY", help="What says which tokens belong together: alignment or attention."
        ),
    ] = "alignment",
    unchanged: Annotated[
        float,
        typer.Option(metavar="SHARE", help="How many outputs for dev must stay as they are."),
    ] = 0.995,
) -> None:
    """Learn which target tokens each source calls for: search.shortlist=true chooses among them."""
    from transduce.commands.shrinking.learn_lists import learn_and_store

    learn_and_store(model, data or [], by, unchanged)
