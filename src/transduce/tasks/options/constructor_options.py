"""Options of the constructors of transformers' pipelines, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transduce.errors import ConfigError
from transduce.tasks.options.asked_options import accepted
from transduce.tasks.options.option_table import OPTIONS

__all__ = ["Built", "built_options"]

_BUILT = {option.name: option for option in OPTIONS if option.place == "constructor"}
_BESIDE = ("config", "tokenizer", "feature_extractor", "image_processor", "processor")
_HUB = {
    "revision": "revision",
    "token": "token",
    "use_auth_token": "token",
    "cache_dir": "cache",
    "local_files_only": "local_only",
}
# Halves are computed in float32, which is more exact, but for bfloat16, which the engine has.
_ENGINES = {"auto": None, "float32": "float32", "float16": "float32", "bfloat16": "bfloat16"}


@dataclass
class Built:
    """``calls`` are options of all calls; ``engine`` None: that of the model's config."""

    device: str = "auto"
    engine: str | None = None
    hub: dict[str, Any] = field(default_factory=dict)
    calls: dict[str, Any] = field(default_factory=dict)


def built_options(options: Mapping[str, Any], device: Any, model: object) -> Built:
    """Sort the options of a constructor. Raises ConfigError for one that is refused."""
    built = Built(device=_device(device))
    inner = options.get("model_kwargs")
    if not isinstance(inner, Mapping | None):
        raise ConfigError(f"model_kwargs must be a mapping; got {type(inner).__name__}")
    for name, value in (inner or {}).items():
        if name not in _BUILT:
            raise ConfigError(f"model_kwargs must hold options of a constructor; got {name}")
        _take(built, name, value, model)
    for name, value in options.items():
        if name == "model_kwargs":
            continue
        if name in _BUILT:
            _take(built, name, value, model)
        else:
            built.calls[name] = value
    return built


def _take(built: Built, name: str, value: Any, model: object) -> None:
    if not accepted(_BUILT[name], value) or value is None:
        return
    if name in _BESIDE:
        _refuse_other(name, value, model)
    elif name in _HUB:
        built.hub[_HUB[name]] = value
    elif name == "framework":
        if value != "pt":
            raise ConfigError(f"framework must be pt; got {str(value)[:40]}")
    elif name == "device_map":
        built.device = _mapped_device(value)
    elif name in ("torch_dtype", "dtype"):
        kind = str(value).removeprefix("torch.")
        if kind not in _ENGINES:
            raise ConfigError(f"{name} must be one of {', '.join(_ENGINES)}; got {kind[:40]}")
        built.engine = _ENGINES[kind]
    elif name == "load_in_8bit" and value:
        built.engine = "int8"


def _device(given: Any) -> str:
    """``cpu`` for -1, ``cuda:0`` for 0; a device of torch by its name."""
    if given is None:
        return "auto"
    if type(given) is int:
        return "cpu" if given < 0 else f"cuda:{given}"
    return str(given)


def _mapped_device(given: Any) -> str:
    """Where a map puts the whole model. Raises ConfigError where it parts it."""
    if isinstance(given, Mapping):
        places = {_device(place) for place in given.values()}
        if len(places) == 1:
            return places.pop()
        raise ConfigError("device_map must put the whole model on one device; got several")
    if given in ("balanced", "balanced_low_0", "sequential"):
        return "auto"
    return _device(given)


def _refuse_other(name: str, given: Any, model: object) -> None:
    """A tokenizer, or what reads recordings and pictures, that is not the model's own."""
    origin = getattr(given, "name_or_path", None) or getattr(given, "_name_or_path", None) or given
    feature = getattr(given, "tokenizer", None)  # of a processor
    if not isinstance(origin, str | Path):
        origin = getattr(feature, "name_or_path", None)
    if origin is None:  # a reader of recordings or pictures does not say where it is from
        return
    if not isinstance(model, str | Path) or _place(origin) != _place(model):
        raise ConfigError(
            f"{name} must be that of the model, whose folder's files are read; got "
            f"{str(origin)[:60]} (copy its files beside the model's)"
        )


def _place(path: str | Path) -> str:
    return str(Path(path).resolve()) if Path(path).exists() else str(path)
