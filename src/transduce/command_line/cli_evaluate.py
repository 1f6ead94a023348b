"""``transduce evaluate`` and ``transduce calibrate`` at the terminal: their arguments and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from transduce.command_line.cli_options import AdapterFile, Json, ModelPath, PartName
from transduce.commands.completing import completion

__all__ = ["calibrate", "evaluate"]


def evaluate(
    model: ModelPath,
    data: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="DATA",
            help="Files with pairs (the recipe's test set if none); then options as KEY=VALUE.",
            autocompletion=completion.search_options,
        ),
    ] = None,
    json: Json = None,
    worst: Annotated[
        int, typer.Option(min=0, max=1_000_000, metavar="N", help="Show the N worst outputs.")
    ] = 0,
    part: PartName = None,
    sheet: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Draw the best and worst with their pictures (PNG)."),
    ] = None,
    confidence: Annotated[
        bool, typer.Option("--confidence", help="Measure how good its confidence is.")
    ] = False,
    plot: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Draw what is wrong among the surest outputs (PNG)."),
    ] = None,
    noise: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="KIND[=SHARE]",
            help="Measure with noise in a share of the words, too: typing, case or accents.",
        ),
    ] = None,
    adapter: AdapterFile = None,
) -> None:
    """Measure a model on pairs. Scores on its own test set are stored with the model."""
    from transduce.commands.measuring.evaluate import evaluate

    evaluate(
        model, data or [], json, worst, part, sheet,
        confidence=confidence, plot=plot, noise=noise or (), adapter=adapter,
    )  # fmt: skip


def calibrate(
    model: ModelPath,
    data: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="DATA",
            help="Files with pairs that it has not learnt from (the recipe's dev data if none); "
            "then options as KEY=VALUE.",
        ),
    ] = None,
    part: PartName = None,
) -> None:
    """Fit how sure a model is of its outputs; the model keeps it (training does it by itself)."""
    from transduce.commands.measuring.calibrate import calibrate

    calibrate(model, data or [], part)
