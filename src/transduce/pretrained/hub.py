"""Names of models on the Hugging Face hub: folders of its cache, fetched where that is allowed.

Only safetensors, tokenizers and configs are fetched, by ``huggingface_hub``; never pickles or code.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transduce.errors import ConfigError, ModelError, NoModelError
from transduce.untrusted.json import read_object

__all__ = ["HubAccess", "fetching", "model_folder"]

_NAME = re.compile(r"[A-Za-z0-9][\w.\-]{0,95}(?:/[A-Za-z0-9][\w.\-]{0,95})?")
_FETCHED = (
    *("config.json", "generation_config.json", "preprocessor_config.json"),
    *("processor_config.json", "tokenizer_config.json", "tokenizer.json", "added_tokens.json"),
    *("special_tokens_map.json", "vocab.json", "target_vocab.json", "merges.txt", "vocab.txt"),
    *("spiece.model", "sentencepiece.bpe.model", "source.spm", "target.spm"),
    *("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors"),
)
_WEIGHTS, _INDEX, _PICKLED = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
)
_PERMITTED = ContextVar("_PERMITTED", default=False)
_YES, _NO = {"1", "on", "yes", "true"}, {"0", "off", "no", "false"}


@dataclass(frozen=True)
class HubAccess:
    """``download`` permits the network, ``local_only`` forbids it. ``cache`` is the hub's own
    folder unless it is named.
    """

    download: bool = False
    revision: str | None = None
    token: str | bool | None = None
    cache: str | Path | None = None
    local_only: bool = False

    def permits(self) -> bool:
        """Whether something may be fetched: by the caller, within ``fetching(True)``, or by
        ``HF_HUB_OFFLINE=0``; never where that variable says 1.
        """
        said = os.environ.get("HF_HUB_OFFLINE", "").strip().lower()
        if self.local_only or said in _YES:
            return False
        return self.download or _PERMITTED.get() or said in _NO


@contextmanager
def fetching(permitted: bool) -> Iterator[None]:
    """Whether names that recipes have in ``model.from`` may be fetched in the block."""
    before = _PERMITTED.set(permitted)
    try:
        yield
    finally:
        _PERMITTED.reset(before)


def model_folder(
    model: str | Path, access: HubAccess | None = None, *, legacy_weights: bool = False
) -> Path:
    """The folder of a model: the path itself, or that of a name in the cache of the hub.

    Raises NoModelError where there is none of that name, or none that may be fetched.
    """
    access = access or HubAccess()
    path, name = Path(model), str(model)
    if path.exists() or isinstance(model, Path) or not _NAME.fullmatch(name) or ".." in name:
        return path
    found = _cached(name, access)
    if found is not None and _is_whole(found, legacy_weights=legacy_weights):
        return found
    if access.permits():
        return _fetched(name, access)
    if found is not None:
        raise NoModelError(
            f"{name}: the model must be whole in the hub's cache ({found}); got a part of it "
            f"({_HOW})"
        )
    raise NoModelError(
        f"model must be a folder, or a name in the hub's cache ({_cache(access)}); got {name!r} "
        f"({_HOW})"
    )


_HOW = "download=True, or --download, permits fetching the rest"


def _cache(access: HubAccess) -> Path:
    if access.cache is not None:
        return Path(access.cache)
    for variable, below in (
        ("HF_HUB_CACHE", ""),
        ("HUGGINGFACE_HUB_CACHE", ""),
        ("HF_HOME", "hub"),
        ("XDG_CACHE_HOME", "huggingface/hub"),
    ):
        if folder := os.environ.get(variable):
            return Path(folder).expanduser() / below
    return Path("~/.cache/huggingface/hub").expanduser()


def _cached(name: str, access: HubAccess) -> Path | None:
    """The folder of a revision, as the hub's own library lays it out; nothing is asked of it."""
    repository = _cache(access) / f"models--{name.replace('/', '--')}"
    revision = access.revision or "main"
    if not re.fullmatch(r"[\w.\-/]{1,200}", revision) or ".." in revision:
        raise ConfigError(f"revision must be the name of a branch, tag or commit; got {revision!r}")
    reference = repository / "refs" / revision
    try:
        commit = reference.read_text().strip() if reference.is_file() else revision
    except (OSError, UnicodeDecodeError):
        return None
    folder = repository / "snapshots" / commit
    inside = re.fullmatch(r"[\w.\-]{1,200}", commit) and ".." not in commit
    return folder if inside and folder.is_dir() else None


def _is_whole(folder: Path, *, legacy_weights: bool) -> bool:
    """Whether a config and all files of weights are there."""
    if not (folder / "config.json").is_file():
        return (folder / "config.yaml").is_file()
    if (folder / _WEIGHTS).is_file() or (folder / "model.bin").is_file():
        return True
    if (folder / _INDEX).is_file():
        try:
            shards = read_object(folder / _INDEX).get("weight_map", {}).values()
        except (ModelError, AttributeError):
            return False
        return all(isinstance(s, str) and (folder / Path(s).name).is_file() for s in shards)
    return legacy_weights and (folder / _PICKLED).is_file()


def _fetched(name: str, access: HubAccess) -> Path:
    """Fetch what may be fetched. Raises NoModelError with what the hub said."""
    from huggingface_hub import snapshot_download

    options: dict[str, Any] = {
        "revision": access.revision,
        "token": access.token,
        "endpoint": os.environ.get("HF_ENDPOINT") or None,
    }
    try:
        folder = snapshot_download(
            name,
            cache_dir=_cache(access),
            allow_patterns=list(_FETCHED),
            ignore_patterns=["*/*"],
            **options,
        )
    except Exception as error:  # of its library for HTTP, of its own, of the file system
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise NoModelError(
            f"{name}: the model must be on the hub and within reach; {reason}"
        ) from None
    if not _is_whole(Path(folder), legacy_weights=False):
        raise NoModelError(
            f"{name}: the model must have config.json and model.safetensors on the hub; it has not"
        )
    return Path(folder)
