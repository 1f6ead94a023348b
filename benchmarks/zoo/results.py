"""What was measured of each row, in ``docs/zoo/results.json``: written by the command alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError

from benchmarks.zoo.rows import Row, settings
from transduce.config.base import Section
from transduce.errors import ConfigError
from transduce.files import write_text

__all__ = ["Result", "Results", "Scores", "read_results", "write_results"]


class Scores(Section):
    """Metrics by name; of a mixture means, and those of each part."""

    metrics: dict[str, float]
    parts: dict[str, dict[str, float]] = Field(default={})
    signatures: dict[str, str] = Field(default={})


class Result(Section):
    """One run. ``dev`` and ``test`` by how the weights are stored, float32 and int8.

    ``measured`` is ``earlier`` for a run that was tested before there was a zoo.
    """

    measured: Literal["zoo", "earlier"] = "zoo"
    keys: tuple[str, ...]
    seed: int = 1
    architecture: str
    parameters: int
    minutes: float | None = None
    processor_minutes: float | None = None
    steps: int | None = None
    threads: int | None = None
    machine: str = ""
    date: str = ""
    dev: dict[str, Scores] = Field(default={})
    test: dict[str, Scores] = Field(default={})
    megabytes: dict[str, float] = Field(default={})
    weights: str = ""  # the digest of the float32 weights
    remark: str = ""  # what else was measured

    @property
    def settings(self) -> list[str]:
        """What was set beside recipe and data."""
        return settings(self.keys, self.seed)

    def is_of(self, row: Row) -> bool:
        """Whether the row still says what was run."""
        return (self.keys, self.seed) == (row.keys, row.seed)


Results = dict[str, Result]
_ALL = TypeAdapter(Results)


def read_results(path: Path) -> Results:
    """By the names of rows; none where there is no file. Raises ConfigError."""
    if not path.exists():
        return {}
    try:
        return _ALL.validate_json(path.read_bytes())
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]
        where = ".".join(map(str, reason["loc"]))
        raise ConfigError(f"{path}: results must be as written; {where}: {reason['msg']}") from None


def write_results(path: Path, results: Results) -> None:
    """All of them, sorted; a kill leaves the old file or the new one."""
    values = {
        name: results[name].model_dump(mode="json", exclude_defaults=True)
        for name in sorted(results)
    }
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
