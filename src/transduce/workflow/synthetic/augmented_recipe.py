"""The recipe that reads real pairs and, beside them, pairs that a model made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from transduce.config import Config, DataConfig, Files, ParallelFiles
from transduce.reading.parts import Part, parts_of
from transduce.workflow.synthetic.kept_pairs import ORIGIN
from transduce.workflow.synthetic.pair_records import RecordShape, WrittenPart

__all__ = ["MadePairs", "augmented_text", "synthetic_part"]

_REAL = "real"  # the part of what was no mixture
_READ_ELSEWHERE = ("train", "dev", "test", "folder", "parts", "dev_fraction", "test_fraction")
_JSON = {"format": "jsonl", "header": False}


@dataclass(frozen=True)
class MadePairs:
    """The file of made pairs, whose sources and targets are those of ``part``, and how one stands
    in it; ``tagged``: a column of tags stands before the others.
    """

    part: Part
    file: Path
    shape: RecordShape
    tagged: bool

    def options(self) -> dict[str, Any]:
        """What the recipe says of the file."""
        columns = self.shape.columns()
        if self.tagged:
            columns["source"] = [{"tags": ORIGIN}, *columns["source"]]
        return {"train": os.path.abspath(self.file), **_JSON, **columns, "weight": 1.0}


def synthetic_part(config: Config, part: str) -> str:
    """The name of the part that made pairs become."""
    return "synthetic" if config.data.parts is None else f"{part}-synthetic"


def augmented_text(config: Config, made: MadePairs, written: Mapping[str, WrittenPart]) -> str:
    """YAML: the recipe with the made pairs as one more part of its data.

    Of the parts that are ``written``, by name, their files are read in the place of the recipe's.
    """
    values = config.given()
    values["name"] = f"{config.name}-augmented"
    values["data"] = _data(config, made, written)
    return (
        "# Real pairs and pairs that a model made, by `transduce augment`. How often the latter\n"
        f"# come: data.parts.{synthetic_part(config, made.part.name)}.weight\n"
        + yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    )


def _data(config: Config, made: MadePairs, written: Mapping[str, WrittenPart]) -> dict[str, Any]:
    given = config.given().get("data", {})
    data = {key: value for key, value in given.items() if key not in _READ_ELSEWHERE}
    data |= {"dev_fraction": 0.0, "test_fraction": 0.0}
    own = given.get("parts") or {}
    parts = {}
    for name, part in parts_of(config).items():
        said = {
            key: value for key, value in own.get(name, {}).items() if key not in _READ_ELSEWHERE
        }
        parts[name or _REAL] = said | _real(part.data, written.get(name))
    if config.data.parts is None:
        data["tags"] = "none"
    name = synthetic_part(config, made.part.name)
    parts[name] = made.options()
    if (before := own.get(made.part.name)) is not None:
        parts[name] |= {"tag": before.get("tag") or made.part.name}
        parts[name] |= {key: before[key] for key in ("tokenizer",) if key in before}
    return data | {"parts": parts}


def _real(data: DataConfig, written: WrittenPart | None) -> dict[str, Any]:
    if written is None:
        splits = {split: getattr(data, split) for split in ("train", "dev", "test")}
        return {split: _whole(files) for split, files in splits.items() if files is not None}
    return {**_JSON, **written.shape.columns(), **written.options()}


def _whole(files: Files) -> Any:
    """As YAML has them, from the root on."""
    if isinstance(files, list):
        return [_whole(entry) for entry in files]
    if isinstance(files, ParallelFiles):
        return {"source": os.path.abspath(files.source), "target": os.path.abspath(files.target)}
    return os.path.abspath(files)
