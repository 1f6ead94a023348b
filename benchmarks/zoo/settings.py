"""Whether a run was trained as a row says: every option that changes what is learnt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from transduce.config import Config
from transduce.errors import ConfigError
from transduce.workflow.trained import TrainedModel

__all__ = ["require_same"]

_PATHS = {"train", "dev", "test", "folder"}
# Where it runs and what it leaves behind; teachers are counted, and of a model that is trained on
# it only matters that there is one, as their folders may move.
_ELSEWHERE = {
    "preset",
    "threads",
    "device",
    "tensorboard",
    "checkpoint_every",
    "teacher_folder",
}


def require_same(folder: Path, config: Config) -> None:
    """Raise ConfigError naming the first option of a run that is not as the row's config has it."""
    there, asked = (dict(_options(one)) for one in (TrainedModel.read_config(folder), config))
    for key in [*asked, *there]:
        if there.get(key) != asked.get(key):
            raise ConfigError(
                f"{folder}: {key} must be {asked.get(key)}, as the row says; got {there.get(key)}"
            )


def _options(config: Config) -> Iterator[tuple[str, Any]]:
    """Dotted keys; ``training.dropout`` as what it does to encoder and decoder."""
    values = config.model_dump(mode="json", by_alias=True)
    rate = values["training"].pop("dropout")
    if rate is not None:
        for side in ("encoder", "decoder"):
            values["model"][side]["dropout"] = rate
    values["model"]["from"] = values["model"]["from"] is not None
    values["training"]["teacher"] = len(values["training"]["teacher"])
    for section in ("data", "tokenizer", "model", "training", "search"):
        yield from _flat(section, values[section])


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        key = f"{prefix}.{name}"
        if prefix.startswith("data") and name in _PATHS:
            continue  # where the data lie, in one file or two
        if isinstance(value, Mapping):
            yield from _flat(key, value)
        elif name not in _ELSEWHERE:
            yield key, value
