"""The same weights as captum's, where it is installed."""

from __future__ import annotations

import pytest
import torch
from explained_models import subject_of
from numpy.testing import assert_allclose

from transduce.explain.gradients.input_x_gradient import InputXGradient
from transduce.explain.gradients.integrated_gradients import IntegratedGradients
from transduce.explain.gradients.saliency import Saliency
from transduce.explain.perturbations.kernel_shap import KernelShap
from transduce.explain.perturbations.occlusion import Occlusion

attr = pytest.importorskip("captum.attr")

ROW = 1  # the token that is explained


@pytest.fixture(scope="module", params=["transformer", "gru-general", "linear-transformer"])
def subject(request):
    return subject_of(request.param, double=True)


@pytest.fixture
def number(subject):
    prefix = subject.prefix_vectors(subject.prefix)

    def forward(vectors: torch.Tensor) -> torch.Tensor:
        count = len(vectors)
        which = torch.full((count,), ROW)
        return subject.number(vectors, prefix.expand(count, -1, -1), which)

    return forward


def test_gradients(subject, number):
    vectors = subject.vectors(subject.source.values)
    theirs = attr.Saliency(number).attribute(vectors.clone().requires_grad_(), abs=False)
    found = Saliency().weigh(subject).source[ROW]
    assert_allclose(found, subject.units.norms(theirs)[0].detach(), rtol=1e-9)
    theirs = attr.InputXGradient(number).attribute(vectors.clone().requires_grad_())
    found = InputXGradient().weigh(subject).source[ROW]
    assert_allclose(found, subject.units.sums(theirs)[0].detach(), rtol=1e-9)


def test_integrated_gradients(subject, number):
    theirs = attr.IntegratedGradients(number).attribute(
        subject.vectors(subject.source.values),
        subject.vectors(subject.blank),
        n_steps=300,
        internal_batch_size=100,
    )
    found = IntegratedGradients(gap=1e-5).weigh(subject).source[ROW]
    assert_allclose(found, subject.units.sums(theirs)[0].detach(), atol=2e-3)


def test_occlusion_and_shapley_values(subject):
    def scores(values: torch.Tensor) -> torch.Tensor:
        return subject.scores(values)[:, ROW]

    values, mask = subject.source.values, subject.units.of[None]
    theirs = attr.FeatureAblation(scores).attribute(values, subject.blank, feature_mask=mask)
    first = first_of_each(subject)
    found = Occlusion().weigh(subject).source[ROW]
    assert_allclose(found, theirs.flatten()[first], atol=1e-6)
    if subject.units.count > 4:
        return  # all orders of them would be too many
    theirs = attr.ShapleyValues(scores).attribute(values, subject.blank, feature_mask=mask)
    found = KernelShap().weigh(subject).source[ROW]
    assert_allclose(found, theirs.flatten()[first], atol=1e-6)


def first_of_each(subject) -> list[int]:
    """Where each unit stands first among the source's numbers."""
    of = subject.units.of.flatten().tolist()
    return [of.index(unit) for unit in range(subject.units.count)]
