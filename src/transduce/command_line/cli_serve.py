"""``transduce serve`` at the terminal: its arguments and their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

__all__ = ["serve"]


def serve(
    models: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="MODEL",
            help="Model directories, or NAME=MODEL; the first is meant where a client names none.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="The address to listen on; 0.0.0.0: all.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65_535, help="The port; 0: any that is free.")
    ] = 8765,
    config: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Limits and other options of the server (YAML)."),
    ] = None,
    option: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", metavar="KEY=VALUE", help="One of these; may be repeated."),
    ] = None,
    keys: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Hashed keys of those who may ask; all may if none."),
    ] = None,
    new_key: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="NAME", help="Add a key to the file, print it and end."),
    ] = None,
    adapter: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="NAME=FILE",
            help="An adapter that a request or a key may name, or a folder of them; repeated.",
        ),
    ] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Take over model directories that are replaced.")
    ] = False,
    log: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FORM", help="Log lines of text or json on standard error, or off."),
    ] = None,
) -> None:
    """Answer over HTTP, as LibreTranslate, OpenAI, DeepL and Hugging Face do."""
    from transduce.commands.serving import ServeRequest, serve_models

    serve_models(
        ServeRequest(
            tuple(models or ()),
            host,
            port,
            config,
            tuple(option or ()),
            keys,
            new_key,
            reload,
            log,
            tuple(adapter or ()),
        )
    )
