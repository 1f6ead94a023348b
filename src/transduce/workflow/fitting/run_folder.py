"""The directory of a run before training: is it free, does it belong to the same run?"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transduce.config import Config
from transduce.errors import CheckpointError, ConfigError
from transduce.files import finish, locked, named
from transduce.training.record.checkpoint import has_checkpoint
from transduce.workflow.corpora.corpora import Corpora
from transduce.workflow.corpora.digests import digest
from transduce.workflow.model_folder import CONFIG, WEIGHTS
from transduce.workflow.trained import TrainedModel

__all__ = ["data_fingerprint", "run_fingerprint", "taken"]

_PATHS = {"train", "dev", "test"}  # files may move; their content is hashed
_DRAWING = {"temperature", "weight"}  # how often pairs come
# Options that runs begun by older versions do not know; as they are by default they do not count.
_LATER = {
    "delimiter": None,
    "test_fraction": 0.0,
    "memory_heads": None,
    "attention": "softmax",
    "window": None,
    "global_block": None,
    "beside": None,
    "ctc_positions": 1,
    "encoder_from": None,
}


@contextmanager
def taken(folder: Path, config: Config, resume: bool) -> Iterator[None]:
    """Hold the directory of a run; find out before any work whether it will do.

    One in which a run failed before its first checkpoint may be used again. Raises BusyError where
    another process is writing there, ConfigError, CheckpointError.
    """
    if resume and not (folder / "training").is_dir():
        raise CheckpointError(f"--resume must have a run to go on with; got none in {folder}")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder) as alone:
        with explained(folder):
            finish(folder, alone)
        _require_fit(folder, config, resume)
        with explained(folder):
            training = folder / "training"
            training.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=training):  # of no name: a kill leaves nothing
                pass
        yield


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn what the system says of a run's directory into CheckpointError."""
    try:
        with named(folder):
            yield
    except OSError as error:
        raise CheckpointError(
            f"--output must be a writable directory; got {folder} ({error.strerror})"
        ) from None


def _require_fit(folder: Path, config: Config, resume: bool) -> None:
    begun = has_checkpoint(folder) or (folder / WEIGHTS).exists()
    foreign = (folder / CONFIG).exists() and not (folder / "training").exists()
    if (begun or foreign) and not resume:
        raise ConfigError(
            f"--output must be a new directory; got {folder}, which holds a run "
            "(continue it with --resume, or choose another)"
        )
    if resume and (folder / CONFIG).is_file():
        _refuse_other(TrainedModel.read_config(folder), config, folder)


def run_fingerprint(config: Config, corpora: Corpora) -> str:
    """Names the data, how they are read and encoded, and the model."""
    options = json.dumps(dict(_options(config)), sort_keys=True)
    return digest(f"{corpora.fingerprint}\n{options}")


def data_fingerprint(config: Config, corpora: Corpora) -> str:
    """Names the pairs and how they are read, in their order, whatever model learns from them."""
    data = dict(_data_options(config))
    for key in [key for key in data if key.rpartition(".")[2] in _DRAWING]:
        del data[key]
    return digest(f"{corpora.fingerprint}\n{json.dumps(data, sort_keys=True)}")


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
    yield from _data_options(config)
    yield from _flat("tokenizer", config.tokenizer.model_dump(mode="json"))
    model = config.model.model_dump(mode="json", by_alias=True, exclude={"preset"})
    yield from _without_later(_flat("model", model))


def _data_options(config: Config) -> Iterator[tuple[str, Any]]:
    data = config.data.model_dump(mode="json", exclude={*_PATHS, "folder"})
    for part in (data["parts"] or {}).values():
        for key in _PATHS:
            del part[key]
    yield from _without_later(_flat("data", data))


def _without_later(options: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    for key, value in options:
        name = key.rpartition(".")[2]
        if name not in _LATER or value != _LATER[name]:
            yield key, value


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}.{name}", value)
        else:
            yield f"{prefix}.{name}", value
