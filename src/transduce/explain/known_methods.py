"""All methods by name, and which is taken where none is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from transduce.errors import ConfigError, did_you_mean
from transduce.explain.attentions.attention_rollout import AttentionRollout
from transduce.explain.attentions.attention_weights import AttentionReading
from transduce.explain.attentions.value_zeroing import ValueZeroing
from transduce.explain.gradients.gradient_shap import GradientShap
from transduce.explain.gradients.input_x_gradient import InputXGradient
from transduce.explain.gradients.integrated_gradients import IntegratedGradients
from transduce.explain.gradients.saliency import Saliency
from transduce.explain.gradients.smoothgrad import SmoothGrad
from transduce.explain.method import Method
from transduce.explain.perturbations.kernel_shap import KernelShap
from transduce.explain.perturbations.lime import Lime
from transduce.explain.perturbations.occlusion import Occlusion
from transduce.explain.records.weighed import SourceKind
from transduce.models.seq2seq import Seq2Seq
from transduce.workflow.trained import TrainedModel

__all__ = ["METHODS", "chosen_method", "method_with", "named"]

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        AttentionReading(),
        AttentionRollout(),
        ValueZeroing(),
        Saliency(),
        InputXGradient(),
        IntegratedGradients(),
        SmoothGrad(),
        GradientShap(),
        Occlusion(),
        Lime(),
        KernelShap(),
    )
}

_BEST: Mapping[SourceKind, str] = {"text": "lime", "audio": "lime", "image": "gradient-shap"}


def chosen_method(method: str | Method | None, trained: TrainedModel) -> Method:
    """The method of this name with its default options, or what it is already.

    None: what measured best for this kind of source (docs/explain.md); of models that another
    library runs, which give no gradients, occlusion. Raises ConfigError.
    """
    if method is None:
        method = (
            _BEST[trained.config.data.input.kind]
            if isinstance(trained.model, Seq2Seq)
            else "occlusion"
        )
    return named(method) if isinstance(method, str) else method


def named(method: str) -> Method:
    """The method of this name with its default options. Raises ConfigError."""
    if method not in METHODS:
        meant = did_you_mean(method, METHODS)
        raise ConfigError(f"method must be one of {', '.join(METHODS)}; got {method!r}{meant}")
    return METHODS[method]


def method_with(method: str | None, options: Mapping[str, str]) -> str | Method | None:
    """The method with options as a terminal gives them: ``{"steps": "64"}``. Raises ConfigError."""
    if not options:
        return method
    if method is None:
        raise ConfigError(f"method must be named where it has options; got {', '.join(options)}")
    found: Any = named(method)
    values = {}
    for name, text in options.items():
        known = dataclasses.asdict(found)
        if name not in known:
            meant = did_you_mean(name, known)
            names = ", ".join(known) or "none"
            raise ConfigError(f"option of {method} must be one of {names}; got {name!r}{meant}")
        values[name] = _value(f"method.{name}", text, known[name])
    changed: Method = dataclasses.replace(found, **values)
    return changed


def _value(key: str, text: str, default: object) -> object:
    """A text as a value like the default. Raises ConfigError."""
    if isinstance(default, bool):
        if text not in ("true", "false"):
            raise ConfigError(f"{key} must be true or false; got {text!r}")
        return text == "true"
    try:
        number = float(text)
    except ValueError:
        raise ConfigError(f"{key} must be a number; got {text!r}") from None
    if isinstance(default, float):
        return number
    if number != int(number):
        raise ConfigError(f"{key} must be a whole number; got {text!r}")
    return int(number)
