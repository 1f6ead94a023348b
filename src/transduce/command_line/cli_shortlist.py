"""``transduce shortlist`` at the terminal: its arguments and their help."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from transduce.command_line.cli_options import ModelPath

__all__ = ["shortlist"]


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
