"""What all readers of pairs are held to: the same pairs whoever asks, texts that are texts."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from fuzz.harness import Files, Mutation, WrongAnswerError, lay
from fuzz.mutations.values import json_with
from transduce.config import DataConfig, ParallelFiles
from transduce.config.recipe import Config
from transduce.errors import ConfigError, DataError
from transduce.reading.pair_files import Problems, read_pairs
from transduce.reading.sources import sources_or_errors

__all__ = ["OPTIONS", "change_options", "feed_pairs", "options"]

OPTIONS = "options.json"  # of the section data, beside the file

change_options: Mutation = json_with(
    *("tsv", "csv", "jsonl", "auto", "parquet", "datasets", "source", "target", "translation.en"),
    *({"tags": 1}, {"tags": "tags", "separator": ";"}, {"tags": 1, "separator": [";", "+"]}),
    *([0, {"tags": 1}], ["source", {"tags": "tags"}], [0, 1], 2, 1),
)


def options(**values: Any) -> bytes:
    """The file of options."""
    return json.dumps(values).encode()


def feed_pairs(files: Files, folder: Path) -> object:
    """Read pairs and sources of the one file (or two, or folder) beside the options."""
    lay(files, folder)
    config = _config(files)
    names = sorted({name.partition("/")[0] for name in files if name != OPTIONS})
    place: Path | ParallelFiles = folder / (names or ["none"])[0]
    if len(names) > 1:
        place = ParallelFiles(source=folder / names[0], target=folder / names[1])
    problems = Problems("skip")
    try:
        pairs = list(read_pairs(place, config, problems))
    except DataError:
        pairs = []
        if not problems.total:
            raise
    for pair in pairs:
        if not pair.source.strip() or not pair.target or not pair.target.strip():
            raise WrongAnswerError(f"a pair with nothing in it: {pair}")
        (pair.source + pair.target).encode()
    _same_when_stopped(place, config, pairs, problems)
    return len(pairs) > 3, len(pairs), sorted(problems.counts), _sources(place, config)


def _config(files: Files) -> DataConfig:
    try:
        values = json.loads(files.get(OPTIONS, b"{}"))
    except (ValueError, RecursionError):
        values = {}
    if not isinstance(values, dict):
        values = {"on_error": values}
    return Config.from_mapping({"data": values}).data


def _same_when_stopped(
    place: Path | ParallelFiles, config: DataConfig, pairs: list[Any], problems: Problems
) -> None:
    """Reading that stops at the first problem gives the same pairs up to there."""
    seen = []
    stopped = False
    try:
        seen.extend(read_pairs(place, config, Problems("stop")))
    except DataError as error:
        stopped = True
        if "\n" in str(error):
            raise
    if stopped is not bool(problems.total) or (not stopped and seen != pairs):
        raise WrongAnswerError(f"{len(pairs)} pairs skipping, {len(seen)} stopping")


def _sources(place: Path | ParallelFiles, config: DataConfig) -> object:
    if isinstance(place, ParallelFiles):
        place = place.source
    good = bad = 0
    with contextlib.suppress(ConfigError, DataError):
        for source in sources_or_errors(place, config):
            if isinstance(source, str):
                source.encode()
                good += 1
            elif "\n" in str(source):
                raise source
            else:
                bad += 1
    return min(good, 9), min(bad, 9)
