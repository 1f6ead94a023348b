"""The terminal face: one thin function a command.

Heavy imports wait inside the commands, so that ``transduce --help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from transduce import __version__
from transduce.cli_explain import explain
from transduce.cli_options import Json, ModelPath, PartName
from transduce.errors import ConfigError
from transduce.terminal import Commands, speaking

__all__ = ["app", "main"]

_INTERRUPTED = 130  # 128 + SIGINT, as a shell says it


app = typer.Typer(
    cls=Commands,
    add_completion=False,
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
        typer.Option("--version", callback=_version, is_eager=True, help="Show it and exit."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Sequence-to-sequence learning: train on pairs, measure, predict."""


@app.command()
def demo(
    minutes: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0, max=1_000_000, help="Minutes of training at most; 2 if not given."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the model goes.")
    ] = Path("runs/demo"),
    say: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="WORD", help="Let the trained demo pronounce a word, aloud."),
    ] = None,
) -> None:
    """Learn English pronunciation from the CMU dictionary, here and now."""
    from transduce import demo

    if say is not None:
        if minutes is not None:
            raise ConfigError(f"--minutes must be given without --say; got {minutes:g} for both")
        demo.say(say, output)
    elif not demo.run(2.0 if minutes is None else minutes, output):
        raise typer.Exit(_INTERRUPTED)


@app.command()
def check(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE|DATA",
            help="A recipe (YAML), or files with pairs; then options as KEY=VALUE.",
        ),
    ],
) -> None:
    """Look at data as a doctor would: lengths, vocabulary, duplicates, leakage, bad lines."""
    from transduce.commands.check import check

    check(paths)


@app.command()
def train(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE|DATA",
            help="A recipe (YAML), or files with pairs, or a folder of recordings or pictures, for "
            "which a recipe is chosen; then options as KEY=VALUE.",
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
        typer.Option(metavar="M", help="Minutes of training at most; 10 if data is given."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.")
    ] = False,
) -> None:
    """Train a model as a recipe says, or as suits the data."""
    from transduce.commands.train import train

    if not train(arguments, output, minutes, resume=resume):
        raise typer.Exit(_INTERRUPTED)


@app.command()
def evaluate(
    model: ModelPath,
    data: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="DATA",
            help="Files with pairs (the recipe's test set if none); then options as KEY=VALUE.",
        ),
    ] = None,
    json: Json = None,
    worst: Annotated[
        int, typer.Option(min=0, max=1_000_000, metavar="N", help="Show so many worst cases.")
    ] = 0,
    part: PartName = None,
    sheet: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Draw the best and worst under their pictures (PNG)."),
    ] = None,
) -> None:
    """Measure a model on pairs; on its own test set, the model keeps the scores."""
    from transduce.commands.evaluate import evaluate

    evaluate(model, data or [], json, worst, part, sheet)


@app.command()
def predict(
    model: ModelPath,
    inputs: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="INPUT",
            help="Files, or - for standard input (if none); recordings or pictures, folders or "
            "lists of them, where the model reads such; then options as KEY=VALUE.",
        ),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", metavar="FILE", help="Instead of standard output."),
    ] = None,
    output_dir: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="A file for each recording or picture, in this folder."),
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            help="text; jsonl: all hypotheses, scores; csv, tsv: a table with the sources; "
            "srt, vtt: subtitles of a recording."
        ),
    ] = "text",
    beam: Annotated[Optional[int], typer.Option(metavar="K", help="Beam width.")] = None,  # noqa: UP045
    nbest: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(metavar="N", help="Hypotheses for each source, separated by tabs."),
    ] = None,
    ensemble: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(metavar="MODEL", help="Another model to decide with; may be repeated."),
    ] = None,
    part: PartName = None,
    timings: Annotated[
        bool,
        typer.Option("--timings", help="When each word of a recording was said (with jsonl)."),
    ] = False,
    source_language: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="CODE", help="Of a model of many languages: deu_Latn; de or auto."),
    ] = None,
) -> None:
    """Write the model's output for each record of the input, one line a line."""
    from transduce.commands.arguments import split_overrides
    from transduce.commands.predicting import Request, predict

    sources, overrides = split_overrides(inputs or [])
    predict(
        Request(
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
        )
    )


@app.command()
def compare(
    models: Annotated[
        list[Path], typer.Argument(metavar="MODEL", help="Two model directories or more.")
    ],
    data: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="DATA", help="Pairs; the first model's test set if none."),
    ] = None,
    json: Json = None,
    plot: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Draw quality against speed (PNG)."),
    ] = None,
    part: PartName = None,
) -> None:
    """Compare models on one test set, with intervals and significance."""
    from transduce.commands.compare import compare

    compare(models, data, json, plot, part)


@app.command()
def show(
    model: ModelPath,
    engine: Annotated[
        bool, typer.Option("--engine", help="Say what predicts here, and why.")
    ] = False,
    attention: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="SOURCE", help="Draw where it looks while it reads this source."),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where that goes (PNG); attention.png if none."
        ),
    ] = None,
    part: PartName = None,
) -> None:
    """Say what is in a model: parameters by module, sizes, vocabulary, training, scores."""
    if attention is not None:
        from transduce.commands.show_attention import show_attention

        print(show_attention(model, attention, output, part, engine=engine))
        return
    from transduce.commands.show import show_model

    print(show_model(model, output, part, engine=engine))


app.command()(explain)


@app.command()
def export(
    model: ModelPath,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new directory.")],
    format: Annotated[str, typer.Option(help="ctranslate2.")] = "ctranslate2",
    quantization: Annotated[
        str, typer.Option(metavar="TYPE", help="What weights are stored as: float32, int8, …")
    ] = "float32",
    check: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Sources to compare on; the dev data's if none."),
    ] = None,
    part: PartName = None,
) -> None:
    """Write a Transformer for another engine, and check that it says the same there."""
    from transduce.commands.export import export

    export(model, format, output, quantization, check, part)


@app.command("import")
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
            help="Of a model of many languages: eng_Latn, en_XX, en; of Whisper auto to guess.",
        ),
    ] = None,
    target_language: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="CODE", help="Likewise."),
    ] = None,
    legacy_weights: Annotated[
        bool,
        typer.Option("--legacy-weights", help="Read pytorch_model.bin, tensors alone."),
    ] = False,
    download: Annotated[
        bool,
        typer.Option("--download", help="Fetch a name that is not in the hub's cache."),
    ] = False,
) -> None:
    """Make a published model (T5, BART, Marian, NLLB, …) one of ours."""
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
        typer.Argument(metavar="NAME", help="The recipe to print; all are listed if none."),
    ] = None,
) -> None:
    """List the recipes that come with the package, or print one to begin with."""
    from transduce.commands.recipes import recipes

    recipes(name)


@app.command()
def schema() -> None:
    """Print the JSON schema of a recipe, for editors."""
    from transduce.commands.recipes import schema

    schema()


def main() -> None:
    """Run the command line; a person's error is one line on standard error and status 2."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    with speaking(debug):
        app(arguments)
