"""A rung: a model as it is to be run, and what the process that runs it is told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from transduce.config import Config, SearchConfig, parse_override
from transduce.errors import ConfigError
from transduce.export.exported import ExportUsage, arguments_of

__all__ = ["Rung", "exported_job", "model_job", "rungs_of", "sizes"]

_RUN = "training"  # of a run's directory: nothing in it is read to predict


@dataclass(frozen=True)
class Rung:
    """A model directory and the options (``KEY=VALUE``) that it is run with."""

    name: str
    folder: Path
    options: tuple[str, ...] = ()
    kind: Literal["transduce", "ctranslate2"] = "transduce"

    def configured(self, config: Config) -> Config:
        """A model's config with its options. Raises ConfigError."""
        return config.updated(dict(parse_override(text) for text in self.options))


def rungs_of(arguments: Sequence[str]) -> list[Rung]:
    """Rungs from a command's arguments: options before the first directory are those of all, and
    the options behind a directory its own. Directories of one folder go by their own names. Raises
    ConfigError for none, and for two rungs that are the same.
    """
    common: list[str] = []
    found: list[tuple[str, list[str]]] = []
    for given in arguments:
        if "=" in given and not os.path.exists(given):
            (found[-1][1] if found else common).append(given)
        else:
            found.append((given, []))
    if not found:
        raise ConfigError("MODEL must be at least one model directory; got none")
    folders = {Path(folder) for folder, _ in found}
    short = len({folder.parent for folder in folders}) == 1 and len(folders) > 1
    rungs = []
    for folder, own in found:
        name = Path(folder).name if short else folder
        rungs.append(Rung(" ".join([name, *own]), Path(folder), (*common, *own)))
    names = [rung.name for rung in rungs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"rungs must differ; got {twice!r} twice (options behind a directory are that rung's)"
        )
    return rungs


def sizes(folder: Path) -> tuple[int, int]:
    """Bytes of all files that a model is read from, and of its weights."""
    every = [path for path in folder.rglob("*") if path.is_file()]
    own = [path for path in every if path.relative_to(folder).parts[0] != _RUN]
    weights = [path for path in own if path.suffix in (".safetensors", ".bin")]
    return sum(p.stat().st_size for p in own), sum(p.stat().st_size for p in weights)


def model_job(rung: Rung, part: str | None) -> dict[str, Any]:
    """For a model of ours."""
    return {
        "kind": rung.kind,
        "folder": str(rung.folder),
        "options": rung.options,
        "part": part,
    }


def exported_job(
    rung: Rung, config: Config, search: SearchConfig, part: str | None, threads: int
) -> dict[str, Any]:
    """For an export of a model with this config."""
    return {
        "kind": rung.kind,
        "folder": str(rung.folder),
        "usage": asdict(ExportUsage.of(config, part)),
        "arguments": dict(arguments_of(search)),
        "threads": threads,
    }
