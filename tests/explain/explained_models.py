"""Small models with a source and a target, as the subject of an explanation."""

from __future__ import annotations

import dataclasses

import torch

from architectures import ARCHITECTURES, FRAMES, SYMBOLS, make_model, make_source_for, sentences
from transduce.explain.asking.question import Question
from transduce.explain.asking.subject import Subject
from transduce.explain.asking.units import cells, symbols
from transduce.explain.attentions.attention_rollout import AttentionRollout
from transduce.explain.attentions.attention_weights import AttentionReading
from transduce.explain.attentions.value_zeroing import ValueZeroing
from transduce.explain.gradients.gradient_shap import GradientShap
from transduce.explain.gradients.input_x_gradient import InputXGradient
from transduce.explain.gradients.integrated_gradients import IntegratedGradients
from transduce.explain.gradients.saliency import Saliency
from transduce.explain.gradients.smoothgrad import SmoothGrad
from transduce.explain.perturbations.kernel_shap import KernelShap
from transduce.explain.perturbations.lime import Lime
from transduce.explain.perturbations.occlusion import Occlusion
from transduce.interfaces import END, UNKNOWN

__all__ = ["BY_GRADIENTS", "BY_LOOKING", "BY_TAKING_AWAY", "TARGET", "subject_of"]

BY_GRADIENTS = (
    Saliency(),
    InputXGradient(),
    IntegratedGradients(pieces=1, most=1),
    SmoothGrad(samples=2),
    GradientShap(samples=2),
)
BY_TAKING_AWAY = (Occlusion(), Lime(samples=16), KernelShap(samples=16))
BY_LOOKING = (
    AttentionReading(),
    AttentionReading(shifted=True),
    AttentionRollout(),
    ValueZeroing(),
)

TARGET = [*sentences(2, seed=5)[0], END]


def subject_of(
    name: str, *, length: int = 3, double: bool = False, question: Question | None = None
) -> Subject:
    """A model of an architecture before a source of ``length`` symbols and END."""
    model = make_model(ARCHITECTURES[name])
    if double:
        model = model.double()
    source = make_source_for(model, sentences(length, seed=3))
    asked = question or Question.of(TARGET)
    if model.frontend is None:
        blank = torch.full_like(source.values, UNKNOWN)
        units, sizes = symbols(length + 1), (SYMBOLS, SYMBOLS)
    else:
        blank = torch.zeros_like(source.values)
        units, sizes = cells(source.values.shape[1], FRAMES, length + 1, 2), (0, SYMBOLS)
    return Subject(model, model, source, asked, units, blank, vocabularies=sizes)


def slowly(subject: Subject) -> Subject:
    """The same, computed row by row."""
    return dataclasses.replace(subject, room=1)
