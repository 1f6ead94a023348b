"""``transduce explain`` at the terminal: its arguments and their help."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from transduce.command_line.cli_options import ModelPath, PartName
from transduce.errors import ConfigError

__all__ = ["explain"]


def explain(
    model: ModelPath,
    arguments: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="[SOURCE] [KEY=VALUE]",
            help="A text, or the path of a recording or picture; then options of the search "
            "(search.beam=4) or of the method (method.samples=64).",
        ),
    ] = None,
    target: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="TEXT", help="The output to explain; the model's own if none."),
    ] = None,
    method: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="M", help="How to weigh; what measured best if none."),
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
            "--output",
            "-o",
            metavar="FILE",
            help="FILE.html, .png, .svg or .json; shown here if none.",
        ),
    ] = None,
    part: PartName = None,
    every: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--all", metavar="FILE", help="Explain each source of a file, one JSON line each."
        ),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="SOURCE is a file with pairs: how far can each method be believed?"
        ),
    ] = False,
    count: Annotated[
        int, typer.Option(min=1, max=1_000_000, metavar="N", help="Sources that --measure takes.")
    ] = 100,
    neighbours: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Show the nearest pairs of this index instead."),
    ] = None,
    nearest: Annotated[
        int, typer.Option(min=1, max=1000, metavar="K", help="Pairs that --neighbours shows.")
    ] = 5,
    beam_tree: Annotated[
        bool,
        typer.Option(
            "--beam-tree",
            help="What its search kept, dropped and finished at each step (.html, .png, .json).",
        ),
    ] = False,
    prefix: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="TEXT", help="With --beam-tree: what outputs have to begin with."),
    ] = None,
    alternatives: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            metavar="N",
            help="Other tokens at each place, with what comes then; 3 in .html and .json, 0: none.",
        ),
    ] = None,
) -> None:
    """Say what in a source made the model write what it writes."""
    given = list(arguments or [])
    # What is asked about may hold a "=": the first is the source unless all sources are in a file.
    source = given.pop(0) if given and every is None else None
    if neighbours is not None:
        if source is None or measure or against is not None:
            raise ConfigError("--neighbours must be asked of one SOURCE, without --against")
        from transduce.commands.explaining.by_neighbours import explain_by_neighbours

        explain_by_neighbours(
            *(model, source, neighbours, target, output, part), count=nearest, overrides=given
        )
        return
    if beam_tree or prefix is not None:
        others = (target, method, against, every)
        if not beam_tree or measure or any(other is not None for other in others):
            raise ConfigError(
                "--beam-tree must be asked alone, but for --prefix, --output and --part"
                if beam_tree
                else f"--prefix must be given with --beam-tree; got {prefix!r} without"
            )
        from transduce.commands.explaining.show_tree import show_beam_tree

        show_beam_tree(model, source, output, part=part, prefix=prefix, overrides=given)
        return
    if measure:
        if every is not None or target is not None or against is not None:
            raise ConfigError("--measure must be asked without --all, --target and --against")
        from transduce.commands.explaining.measure import measure as measure_methods

        if source is not None and "=" in source and not os.path.exists(source):
            given, source = [source, *given], None
        measure_methods(model, source, output, method, part, given, count)
        return
    from transduce.commands.explaining.explain import ExplainRequest
    from transduce.commands.explaining.explain import explain as explain_source

    explain_source(
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
            every,
            tuple(given),
            alternatives,
        )
    )
