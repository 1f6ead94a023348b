"""Arguments that several commands of the terminal have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

__all__ = ["INTERRUPTED", "AdapterFile", "BeamWidth", "Download", "Json", "ModelPath", "PartName"]

INTERRUPTED = 130  # status: 128 + SIGINT, as a shell says it

ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="A model directory.")]
PartName = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--part", metavar="NAME", help="The part of a mixture that the data is of."),
]
BeamWidth = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--beam", metavar="K", help="Beam width."),
]
Download = Annotated[
    bool,
    typer.Option("--download", help="Download a name that is not in the hub's cache."),
]
Json = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--json", metavar="FILE", help="Write all figures to this file."),
]
AdapterFile = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--adapter", metavar="FILE", help="A change of the model, of `transduce adapt`."),
]
