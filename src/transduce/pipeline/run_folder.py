"""The directory of a run before training: is it free, does it belong to the same run?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from transduce.config import Config
from transduce.errors import CheckpointError, ConfigError
from transduce.pipeline.corpora import Corpora, digest
from transduce.pipeline.trained import CONFIG, WEIGHTS, TrainedModel
from transduce.training.checkpoint import has_checkpoint

__all__ = ["prepare_folder", "run_fingerprint"]

_PATHS = {"train", "dev", "test"}  # files may move; their content is hashed


def prepare_folder(folder: Path, config: Config, resume: bool) -> None:
    """Find out before any work whether the directory will do.

    One in which a run failed before its first checkpoint may be used again. Raises
    ConfigError and CheckpointError.
    """
    begun = has_checkpoint(folder) or (folder / WEIGHTS).exists()
    foreign = (folder / CONFIG).exists() and not (folder / "training").exists()
    if (begun or foreign) and not resume:
        raise ConfigError(
            f"--output must be a new directory; got {folder}, which holds a run "
            "(continue it with --resume, or choose another)"
        )
    if resume and not (folder / "training").is_dir():
        raise CheckpointError(f"--resume must have a run to go on with; got none in {folder}")
    if resume and (folder / CONFIG).is_file():
        _refuse_other(TrainedModel.read_config(folder), config, folder)
    try:
        (folder / "training").mkdir(parents=True, exist_ok=True)
        probe = folder / "training" / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise CheckpointError(
            f"--output must be a writable directory; got {folder} ({error.strerror})"
        ) from None


def run_fingerprint(config: Config, corpora: Corpora) -> str:
    """Names the data, how they are read and encoded, and the model."""
    options = json.dumps(dict(_options(config)), sort_keys=True)
    return digest(f"{corpora.fingerprint}\n{options}")


def _refuse_other(known: Config, config: Config, folder: Path) -> None:
    """The training section is compared with the checkpoint's, where training begins."""
    before, now = dict(_options(known)), dict(_options(config))
    for key in [*before, *now]:
        if before.get(key) != now.get(key):
            raise CheckpointError(
                f"{key} must be {before.get(key)} to resume {folder}; got {now.get(key)}"
            )


def _options(config: Config) -> Iterator[tuple[str, Any]]:
    """The options, dotted, that a run cannot change on its way."""
    data = config.data.model_dump(mode="json", exclude={*_PATHS, "folder"})
    for part in (data["parts"] or {}).values():
        for key in _PATHS:
            del part[key]
    yield from _flat("data", data)
    yield from _flat("tokenizer", config.tokenizer.model_dump(mode="json"))
    model = config.model.model_dump(mode="json", by_alias=True, exclude={"preset"})
    yield from _flat("model", model)


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}.{name}", value)
        else:
            yield f"{prefix}.{name}", value
