"""The command line: one thin function for each command.

Heavy imports wait inside the commands, so that ``transduce --help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from transduce import __version__
from transduce.command_line.cli_evaluate import calibrate, evaluate
from transduce.command_line.cli_explain import explain
from transduce.command_line.cli_learnt import adapt, shortlist
from transduce.command_line.cli_neighbours import index
from transduce.command_line.cli_options import (
    INTERRUPTED,
    Download,
    Json,
    ModelPath,
    PartName,
)
from transduce.command_line.cli_predict import predict
from transduce.command_line.cli_serve import serve
from transduce.command_line.cli_shrink import ladder, shrink
from transduce.command_line.cli_synthetic import augment, distil
from transduce.command_line.cli_tune import tune
from transduce.command_line.command_group import Commands
from transduce.commands.completing import completion
from transduce.errors import ConfigError
from transduce.terminal import speaking

__all__ = ["app", "main"]


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Sequence-to-sequence learning: train on pairs, measure, predict.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"transduce {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Sequence-to-sequence learning: train on pairs, measure, predict."""


@app.command()
def demo(
    minutes: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0, max=1_000_000, help="Minutes of training; 2 by default."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The model directory.")
    ] = Path("runs/demo"),
    say: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="WORD", help="Let the trained demo pronounce a word aloud."),
    ] = None,
) -> None:
    """Learn English pronunciation from the CMU dictionary, in two minutes."""
    from transduce import demo

    if say is not None:
        if minutes is not None:
            raise ConfigError(f"--minutes must be given without --say; got {minutes:g} for both")
        demo.say(say, output)
    elif not demo.run(2.0 if minutes is None else minutes, output):
        raise typer.Exit(INTERRUPTED)


@app.command(no_args_is_help=True)
def check(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE|DATA",
            help="A recipe (YAML), or files with pairs; then options as KEY=VALUE.",
            autocompletion=completion.recipe_and_options,
        ),
    ],
) -> None:
    """Examine data: lengths, vocabulary, duplicates, leakage, bad lines."""
    from transduce.commands.check import check

    check(paths)


@app.command(no_args_is_help=True)
def train(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE|DATA",
            help="A recipe (YAML), or files with pairs, or a folder of recordings or pictures, for "
            "which a recipe is chosen; then options as KEY=VALUE.",
            autocompletion=completion.recipe_and_options,
        ),
    ],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--output", "-o", metavar="DIR", help="The model directory; runs/NAME if none."
        ),
    ] = None,
    minutes: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="M", help="Minutes of training; for data, 10 by default."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the last checkpoint.")
    ] = False,
    download: Download = False,
) -> None:
    """Train a model from a recipe, or choose a recipe for the data."""
    from transduce.commands.train import train

    if not train(arguments, output, minutes, resume=resume, download=download):
        raise typer.Exit(INTERRUPTED)


app.command(no_args_is_help=True)(tune)


app.command(no_args_is_help=True)(evaluate)
app.command(no_args_is_help=True)(calibrate)


app.command(no_args_is_help=True)(adapt)
app.command(no_args_is_help=True)(predict)


@app.command(no_args_is_help=True)
def compare(
    models: Annotated[
        list[Path], typer.Argument(metavar="MODEL", help="Two or more model directories.")
    ],
    data: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="DATA", help="Files with pairs (the first model's test set if none)."),
    ] = None,
    json: Json = None,
    plot: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Draw quality against speed (PNG)."),
    ] = None,
    part: PartName = None,
) -> None:
    """Compare models on one test set, with confidence intervals and significance."""
    from transduce.commands.measuring.compare import compare

    compare(models, data, json, plot, part)


@app.command(no_args_is_help=True)
def show(
    model: ModelPath,
    engine: Annotated[
        bool, typer.Option("--engine", help="Show what predicts on this machine, and why.")
    ] = False,
    attention: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="SOURCE", help="Draw the attention for this source."),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File for it (PNG); attention.png if none.",
        ),
    ] = None,
    part: PartName = None,
) -> None:
    """Show what a model contains: parameters, sizes, vocabulary, training, scores."""
    if attention is not None:
        from transduce.commands.show_attention import show_attention

        print(show_attention(model, attention, output, part, engine=engine))
        return
    from transduce.commands.show import show_model

    print(show_model(model, output, part, engine=engine))


app.command(no_args_is_help=True)(explain)
app.command(no_args_is_help=True)(index)
app.command(no_args_is_help=True)(shrink)
app.command(no_args_is_help=True)(ladder)
app.command(no_args_is_help=True)(distil)
app.command(no_args_is_help=True)(augment)
app.command(no_args_is_help=True)(serve)
app.command(no_args_is_help=True)(shortlist)


@app.command(no_args_is_help=True)
def export(
    model: ModelPath,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new directory.")],
    format: Annotated[str, typer.Option(help="ctranslate2.")] = "ctranslate2",
    quantization: Annotated[
        str, typer.Option(metavar="TYPE", help="Type of the stored weights: float32, int8, …")
    ] = "float32",
    check: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Sources to compare on; the dev files' if none."),
    ] = None,
    part: PartName = None,
) -> None:
    """Write a Transformer for another engine, and compare its outputs there."""
    from transduce.commands.export import export

    export(model, format, output, quantization, check, part)


@app.command("import", no_args_is_help=True)
def import_model(
    path: Annotated[
        str,
        typer.Argument(metavar="PATH", help="A published model's directory, or its name."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new directory.")],
    source_language: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="CODE",
            help="Source language of a multilingual model: eng_Latn, en_XX, en; Whisper: auto.",
        ),
    ] = None,
    target_language: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="CODE", help="Target language of a multilingual model."),
    ] = None,
    legacy_weights: Annotated[
        bool,
        typer.Option("--legacy-weights", help="Read the tensors of pytorch_model.bin as data."),
    ] = False,
    download: Download = False,
) -> None:
    """Convert a published model (T5, BART, Marian, NLLB, …) to a model directory."""
    from transduce.commands.importing import import_model

    import_model(
        path,
        output,
        source_language,
        target_language,
        legacy_weights=legacy_weights,
        download=download,
    )


@app.command()
def recipes(
    name: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(
            metavar="NAME",
            help="The recipe to print; if none, all are listed.",
            autocompletion=completion.recipes,
        ),
    ] = None,
) -> None:
    """List the recipes of the package, or print one to start from."""
    from transduce.commands.recipes import recipes

    recipes(name)


@app.command()
def schema() -> None:
    """Print the JSON schema of a recipe, for editors."""
    from transduce.commands.recipes import schema

    schema()


def main() -> None:
    """Run the command line; a user's error is one line on standard error and status 2."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    with speaking(debug):
        app(arguments, prog_name="transduce")  # by "python -m", too
