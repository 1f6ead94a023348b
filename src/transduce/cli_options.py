"""Arguments that several commands of the terminal have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

__all__ = ["Json", "ModelPath", "PartName"]

ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="A model directory.")]
PartName = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--part", metavar="NAME", help="The part of a mixture that the data is of."),
]
Json = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--json", metavar="FILE", help="Write all figures to this file."),
]
