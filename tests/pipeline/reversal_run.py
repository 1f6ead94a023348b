"""What the fixture ``run`` gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """A run on reversed strings of two or three letters."""

    folder: Path
    recipe: Path
    test: Path
