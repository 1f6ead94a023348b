"""From the arguments of the Python face to a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transduce.config import Config
from transduce.config.presets import PRESETS
from transduce.errors import ConfigError

__all__ = ["config_of"]

_LIMITS = ("max_minutes", "max_steps", "max_epochs")


def config_of(arguments: Mapping[str, Any]) -> Config:
    """The recipe that a Transducer with these arguments trains by. Raises ConfigError."""
    limits = {name: arguments[name] for name in _LIMITS}
    if not any(limits.values()):
        limits["max_epochs"] = 30
    values: dict[str, Any] = {
        "model": _model_section(arguments["model"]),
        "tokenizer": _tokenizer_section(arguments),
        "training": {"seed": arguments["seed"], "metric": arguments["metric"], **limits},
        "search": {"beam": arguments["beam"]},
    }
    return Config.from_mapping(values).updated(arguments["options"] or {})


def _tokenizer_section(arguments: Mapping[str, Any]) -> dict[str, Any]:
    model, source, target = (arguments[name] for name in ("model", "source", "target"))
    if isinstance(model, Mapping) and model.get("from") is not None:
        return {}  # those of the model that training goes on from
    if "imported" in (source, target):
        raise ConfigError(
            "tokenizer must be of a kind that is learnt; got a published model's (imported): "
            'training goes on from that model with Transducer({"from": PATH})'
        )
    return {
        "source": {"kind": source},
        "target": {"kind": target},
        "shared": arguments["shared"],
    }


def _model_section(model: str | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(model, Mapping):
        return dict(model)
    name = f"{model}-small" if f"{model}-small" in PRESETS else model
    return {"preset": name}
