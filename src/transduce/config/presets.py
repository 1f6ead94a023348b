"""Named model sizes with training settings that suit them, as plain nested mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transduce.errors import ConfigError, did_you_mean

__all__ = ["PRESETS", "expand_preset"]

# width, layers, dropout, peak learning rate of each size
_RECURRENT = {
    "tiny": (128, 1, 0.1, 4e-3),
    "small": (256, 1, 0.2, 3e-3),
    "base": (512, 2, 0.3, 1e-3),
}
# width, feed-forward width, heads, layers, dropout, peak learning rate
_TRANSFORMER = {
    "tiny": (128, 512, 4, 2, 0.1, 3e-3),
    "small": (256, 1024, 4, 3, 0.1, 1.5e-3),
    "base": (512, 2048, 8, 6, 0.1, 7e-4),
}
# the same of the encoder; the decoder has 2 layers
_STUDENT = {
    "small": (256, 1024, 4, 6, 0.1, 1e-3),
    "base": (512, 2048, 8, 6, 0.1, 7e-4),
}


def _recurrent(kind: str, size: str) -> dict[str, Any]:
    width, layers, dropout, learning_rate = _RECURRENT[size]
    stack = {"kind": kind, "layers": layers, "width": width, "dropout": dropout}
    return {
        "model": {
            "encoder": {**stack, "bidirectional": True},
            "decoder": {**stack, "attention": "general"},
        },
        "training": {"learning_rate": learning_rate, "schedule": "cosine", "warmup_steps": 200},
    }


def _transformer(size: str) -> dict[str, Any]:
    width, feedforward, heads, layers, dropout, learning_rate = _TRANSFORMER[size]
    stack = {
        "kind": "transformer",
        "layers": layers,
        "width": width,
        "feedforward": feedforward,
        "heads": heads,
        "dropout": dropout,
    }
    return {
        "model": {"encoder": stack, "decoder": stack, "tie": "target"},
        "training": {"learning_rate": learning_rate, "schedule": "cosine", "warmup_steps": 400},
    }


def _student(size: str) -> dict[str, Any]:
    """The encoder reads once, the decoder runs once a token: a deep one over a shallow, light one.

    Kasai et al. 2021, "Deep encoder, shallow decoder"; the decoder is Kim et al.'s (2019).
    """
    width, feedforward, heads, layers, dropout, learning_rate = _STUDENT[size]
    stack = {"width": width, "heads": heads, "dropout": dropout}
    encoder = {"kind": "transformer", "layers": layers, "feedforward": feedforward, **stack}
    decoder = {"kind": "ssru", "layers": 2, "feedforward": 0, **stack}
    return {
        "model": {"encoder": encoder, "decoder": decoder, "tie": "target"},
        "training": {"learning_rate": learning_rate, "schedule": "cosine", "warmup_steps": 400},
    }


PRESETS: dict[str, dict[str, Any]] = {
    **{
        f"{kind}-{size}": _recurrent(kind, size)
        for kind in ("rnn", "lstm", "gru")
        for size in _RECURRENT
    },
    **{f"transformer-{size}": _transformer(size) for size in _TRANSFORMER},
    **{f"student-{size}": _student(size) for size in _STUDENT},
}


def expand_preset(values: Mapping[str, Any]) -> dict[str, Any]:
    """Put ``model.preset``'s settings under what a recipe's sections say themselves.

    Raises ConfigError for a preset that there is not.
    """
    expanded = dict(values)
    model = expanded.get("model")
    name = model.get("preset") if isinstance(model, Mapping) else None
    if name is None:
        return expanded
    if not isinstance(name, str) or name not in PRESETS:
        small_first = sorted(PRESETS, key=lambda preset: not preset.endswith("-small"))
        raise ConfigError(
            f"model.preset must be one of {', '.join(PRESETS)}; got {name!r}"
            f"{did_you_mean(name, small_first)}"
        )
    for section, defaults in PRESETS[name].items():
        expanded[section] = _merged(defaults, expanded.get(section, {}))
    return expanded


def _merged(defaults: Mapping[str, Any], values: Any) -> Any:
    if not isinstance(values, Mapping):
        return values
    if "kind" in values and values["kind"] != defaults.get("kind", values["kind"]):
        return dict(values)  # another kind of stack: the preset's options are not its options
    merged = dict(defaults)
    for key, value in values.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, Mapping) else value
    return merged
