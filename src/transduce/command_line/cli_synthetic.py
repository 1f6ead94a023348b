"""``transduce distil`` and ``augment`` at the terminal: their arguments and their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from transduce.command_line.cli_options import BeamWidth, PartName
from transduce.commands.completing import completion

__all__ = ["augment", "distil"]


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
    beam: BeamWidth = None,
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
    from transduce.commands.synthetic.distil import DistilRequest, distil

    distil(
        DistilRequest(
            teachers, output, tuple(data or ()), tuple(sources or ()), beam, nbest, nearest, part
        )
    )


def augment(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE",
            help="The recipe that shall learn from more pairs; then options as KEY=VALUE.",
            autocompletion=completion.recipe_and_options,
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            metavar="DIR",
            help="A model from targets to sources, or, with --sources, one as the recipe's.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where pairs and recipe go.")
    ],
    text: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="FILE",
            help="Targets without sources, which the model writes; may be repeated.",
        ),
    ] = None,
    sources: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="FILE",
            help="Sources without targets, which the model writes; may be repeated.",
        ),
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="WAY", help="beam, sampling, or noised: a beam, then noise on the sources."
        ),
    ] = "beam",
    beam: BeamWidth = None,
    tag: Annotated[
        bool, typer.Option("--tag/--no-tag", help="Put a symbol in front of the made sources.")
    ] = True,
    minimum_confidence: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="P", help="Keep pairs of which the model is at least so sure."),
    ] = None,
    best_share: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="SHARE", help="Keep this share of the pairs, the surest."),
    ] = None,
    part: PartName = None,
    model_part: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="NAME", help="The part of the model's mixture that it answers as."),
    ] = None,
) -> None:
    """Make pairs of text alone with a model, beside a recipe's own; can be stopped."""
    from transduce.commands.synthetic.augment import AugmentRequest, augment

    augment(
        AugmentRequest(
            arguments,
            model,
            output,
            tuple(text or ()),
            tuple(sources or ()),
            by,
            beam,
            tag,
            minimum_confidence,
            best_share,
            part,
            model_part,
        )
    )
