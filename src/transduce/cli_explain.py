"""``transduce explain`` at the terminal: its arguments and their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from transduce.cli_options import ModelPath, PartName

__all__ = ["explain"]


def explain(
    model: ModelPath,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A text, or the path of a recording or picture.")
    ],
    options: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="[KEY=VALUE]",
            help="Options of the search (search.beam=4) or of the method (method.steps=64).",
        ),
    ] = None,
    target: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="TEXT", help="The output to explain; the model's own if none."),
    ] = None,
    method: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="M", help="How to weigh; the best measured if none."),
    ] = None,
    against: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="TEXT", help="Why the output and not this one."),
    ] = None,
    quantity: Annotated[
        str, typer.Option(metavar="Q", help="What is explained: token, output or entropy.")
    ] = "token",
    unit: Annotated[
        str, typer.Option(metavar="U", help="What of a text is weighed: symbol or word.")
    ] = "symbol",
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--output", "-o", metavar="FILE", help="FILE.html or .json; shown here if none."
        ),
    ] = None,
    part: PartName = None,
) -> None:
    """Say what in a source made the model write what it writes."""
    from transduce.commands.explain import ExplainRequest, explain

    explain(
        ExplainRequest(
            model,
            source,
            target,
            method,
            against,
            quantity,
            unit,
            output,
            part,
            tuple(options or ()),
        )
    )
