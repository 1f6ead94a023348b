"""``transduce predict`` at the terminal: its arguments and their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from transduce.command_line.cli_options import AdapterFile, BeamWidth, ModelPath, PartName
from transduce.commands.completing import completion
from transduce.errors import ConfigError

__all__ = ["predict"]


def predict(
    model: ModelPath,
    inputs: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="INPUT",
            help="Files, or - for standard input (if none); recordings or pictures, folders or "
            "lists of them, where the model reads such; then options as KEY=VALUE.",
            autocompletion=completion.search_options,
        ),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", metavar="FILE", help="Instead of standard output."),
    ] = None,
    output_dir: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="Write a file for each source to this folder."),
    ] = None,
    adapter: AdapterFile = None,
    column: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NAME",
            help="The column of a table with the sources (csv, tsv, jsonl, parquet, xlsx): the "
            "whole table is written again, outputs in a further last column.",
        ),
    ] = None,
    format: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="text; jsonl: all hypotheses, scores; csv, tsv: a table with the sources; "
            "srt, vtt: subtitles of a recording. text if none; with --column as the input.",
            autocompletion=completion.formats,
        ),
    ] = None,
    beam: BeamWidth = None,
    nbest: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(metavar="N", help="Number of outputs for each source, separated by tabs."),
    ] = None,
    ensemble: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(metavar="MODEL", help="Another model of an ensemble; may be repeated."),
    ] = None,
    part: PartName = None,
    timings: Annotated[
        bool,
        typer.Option("--timings", help="Times of each word of a recording (with jsonl)."),
    ] = False,
    source_language: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="CODE",
            help="Source language: deu_Latn; for Whisper de, auto.",
        ),
    ] = None,
    confidence: Annotated[
        bool, typer.Option("--confidence", help="How sure it is of each output, 0 to 1.")
    ] = False,
    minimum_confidence: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="X", help="Leave outputs empty where it is less sure, 0 to 1."),
    ] = None,
    alternatives: Annotated[
        int, typer.Option(metavar="N", help="Other tokens at each token (with jsonl).")
    ] = 0,
    alignments: Annotated[
        bool, typer.Option("--alignments", help="Pairs of positions: 0-0 1-2 (source-output).")
    ] = False,
    align_by: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="HOW", help="attention, or replacement: slower, better, any model."),
    ] = None,
    on: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="PLACE",
            help="Answer a corpus block by block: here, by the workers of ray, or of a cluster at "
            "ray://ADDRESS. --output is a folder; the same again goes on where it was stopped.",
        ),
    ] = None,
    block: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(metavar="N", help="Records to a block (with --on)."),
    ] = None,
    threads: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(metavar="N", help="Cores of each worker (with --on ray); 1 if none."),
    ] = None,
) -> None:
    """Write the model's output for each record of the input, one line for each."""
    from transduce.commands.arguments import split_overrides
    from transduce.commands.predicting.request import Request

    sources, overrides = split_overrides(inputs or [])
    request = Request(
        model,
        tuple(sources) or ("-",),
        output,
        format,
        beam,
        nbest,
        tuple(ensemble or ()),
        tuple(overrides),
        part,
        timings,
        source_language,
        output_dir,
        column,
        confidence,
        minimum_confidence,
        alternatives,
        align_by or alignments,
        adapter,
    )
    if on is not None:
        from transduce.commands.in_blocks import Spread, predict_corpus

        predict_corpus(request, Spread(on, block, threads))
        return
    for name, given in (("--block", block), ("--threads", threads)):
        if given is not None:
            raise ConfigError(f"{name} must be given with --on; got it alone")
    from transduce.commands.predicting.predict import predict  # loads torch

    predict(request)
