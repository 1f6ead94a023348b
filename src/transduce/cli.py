"""The terminal face: one thin function a command.

Heavy imports wait inside the commands, so that ``transduce --help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from transduce.errors import ConfigError, TransduceError

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Sequence-to-sequence learning: train on pairs, measure, predict.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="A model directory.")]
Overrides = Annotated[
    Optional[list[str]],  # noqa: UP045 (typer reads this form on every version)
    typer.Argument(metavar="[KEY=VALUE]...", help="Options of the recipe, e.g. search.beam=8."),
]


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Sequence-to-sequence learning: train on pairs, measure, predict."""


@app.command()
def demo(
    minutes: Annotated[float, typer.Option(help="Minutes of training at most.")] = 2.0,
    output: Annotated[Path, typer.Option(help="Where the model goes.")] = Path("runs/demo"),
    say: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="WORD", help="Pronounce a word with the trained demo, aloud."),
    ] = None,
) -> None:
    """Learn English pronunciation from the CMU dictionary, here and now."""
    from transduce import demo as room

    if say is not None:
        room.say(say, output)
    else:
        room.run(minutes, output)


@app.command()
def check(
    paths: Annotated[list[str], typer.Argument(metavar="RECIPE|DATA [KEY=VALUE]...")],
) -> None:
    """Look at data as a doctor would: sizes, lengths, duplicates, leakage, bad lines."""
    from transduce.commands import check as room

    print(room.check(paths))


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A YAML file.")],
    overrides: Overrides = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The model directory.")] = ...,  # type: ignore[assignment]
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.")
    ] = False,
) -> None:
    """Train a model as a recipe says."""
    from transduce.commands import train as room

    room.train(recipe, overrides or [], output, resume=resume)


@app.command()
def evaluate(
    model: ModelPath,
    data: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="[DATA] [KEY=VALUE]...", help="Pairs; the recipe's test set if none."
        ),
    ] = None,
    json: Annotated[Optional[Path], typer.Option(help="Write all figures to a file.")] = None,  # noqa: UP045
    worst: Annotated[int, typer.Option(help="Show so many of the worst cases.")] = 0,
) -> None:
    """Measure a model on pairs."""
    from transduce.commands import evaluate as room

    room.evaluate(model, data or [], json, worst)


@app.command()
def predict(
    model: ModelPath,
    input: Annotated[
        str, typer.Argument(metavar="[INPUT]", help="A file, or - for standard input.")
    ] = "-",
    overrides: Overrides = None,
    output: Annotated[Optional[Path], typer.Option("--output", "-o")] = None,  # noqa: UP045
    format: Annotated[str, typer.Option(help="text or jsonl")] = "text",
    beam: Annotated[Optional[int], typer.Option(help="Beam width.")] = None,  # noqa: UP045
    nbest: Annotated[Optional[int], typer.Option(help="Hypotheses for each source.")] = None,  # noqa: UP045
) -> None:
    """Write the model's output for each line of the input."""
    from transduce.commands import predict as room

    if "=" in input and not Path(input).exists():
        input, overrides = "-", [input, *(overrides or [])]
    room.predict(model, input, output, format, _search_options(overrides or [], beam, nbest))


@app.command()
def compare(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL MODEL...")],
    data: Annotated[
        Path | None, typer.Option(help="Pairs; the first model's test set if none.")
    ] = None,
    json: Annotated[Optional[Path], typer.Option(help="Write all figures to a file.")] = None,  # noqa: UP045
    plot: Annotated[Optional[Path], typer.Option(help="Draw quality against speed (PNG).")] = None,  # noqa: UP045
) -> None:
    """Compare models on one test set, with intervals and significance."""
    from transduce.commands import compare as room

    room.compare(models, data, json, plot)


@app.command()
def show(model: ModelPath) -> None:
    """Say what is in a model: parameters by part, sizes, vocabulary, training, scores."""
    from transduce.commands import show as room

    print(room.show(model))


def main() -> None:
    """Run the command line; a person's error is one line on standard error and status 2."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments)
    except TransduceError as error:
        if debug:
            raise
        print(f"transduce: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


def _search_options(overrides: list[str], beam: int | None, nbest: int | None) -> list[str]:
    named = {"search.beam": beam, "search.nbest": nbest}
    if beam is None and nbest is not None and nbest < 1:
        raise ConfigError(f"--nbest must be at least 1; got {nbest}")
    return [*overrides, *(f"{key}={value}" for key, value in named.items() if value is not None)]
