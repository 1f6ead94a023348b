"""Gradients against a float64 NumPy version, differentiated by complex steps.

The model is a recurrent one with dot attention. Its equations are written down anew below; since
all functions in them are analytic, ``∂f/∂x = Im f(x + ih) / h`` is exact for h = 1e-30 (Squire &
Trapp 1998): no difference of two numbers is taken.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from explained_models import TARGET, subject_of
from numpy.testing import assert_allclose

from transduce.explain.gradients.gradient_shap import GradientShap
from transduce.explain.gradients.input_x_gradient import InputXGradient
from transduce.explain.gradients.integrated_gradients import IntegratedGradients
from transduce.explain.gradients.saliency import Saliency
from transduce.explain.gradients.smoothgrad import SmoothGrad

STEP = 1e-30


@pytest.fixture(scope="module")
def subject():
    return subject_of("rnn-dot", length=2, double=True)


class ByHand:
    """``log P(y_t | …)`` of source vectors ``[S, E]`` and prefix vectors ``[T, E]``."""

    def __init__(self, subject) -> None:
        self.w = {name: p.detach().numpy() for name, p in subject.model.named_parameters()}
        self.source = subject.vectors(subject.source.values)[0].numpy()
        self.blank = subject.vectors(subject.blank)[0].numpy()
        self.prefix = subject.prefix_vectors(subject.prefix)[0].numpy()

    def cell(self, name: str, x: np.ndarray, h: np.ndarray) -> np.ndarray:
        w = self.w
        return np.tanh(
            w[f"{name}.kernel.weight_ih_l0"] @ x + w[f"{name}.kernel.bias_ih_l0"]
            + w[f"{name}.kernel.weight_hh_l0"] @ h + w[f"{name}.kernel.bias_hh_l0"]
        )  # fmt: skip

    def chain(self, name: str, inputs: np.ndarray, h: np.ndarray) -> list[np.ndarray]:
        found = []
        for x in inputs:
            h = self.cell(name, x, h)
            found.append(h)
        return found

    def __call__(self, source: np.ndarray, prefix: np.ndarray) -> np.ndarray:
        w, half = self.w, np.zeros(8)
        ahead = self.chain("encoder.layers.0.ahead", source, half)
        back = self.chain("encoder.layers.0.back", source[::-1], half)[::-1]
        memory = np.array([np.concatenate(both) for both in zip(ahead, back, strict=True)])
        last = np.concatenate([ahead[-1], back[0]])
        bridge = "decoder.bridge.hidden.0"
        first = np.tanh(w[f"{bridge}.weight"] @ last + w[f"{bridge}.bias"])
        found = []
        for h, token in zip(
            self.chain("decoder.stack.layers.0", prefix, first), TARGET, strict=False
        ):
            scores = memory @ h
            weights = np.exp(scores) / np.exp(scores).sum()
            output = np.tanh(w["decoder.combine.weight"] @ np.concatenate([h, weights @ memory]))
            logits = w["output.weight"] @ output + w["output.bias"]
            found.append(logits[token] - np.log(np.exp(logits).sum()))
        return np.array(found)

    def slopes(self, source: np.ndarray, prefix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``[T, S, E]`` and ``[T, T, E]``."""
        by_source = [self(source + step, prefix).imag / STEP for step in steps(source.shape)]
        by_prefix = [self(source, prefix + step).imag / STEP for step in steps(prefix.shape)]
        return (
            np.array(by_source).T.reshape(-1, *source.shape),
            np.array(by_prefix).T.reshape(-1, *prefix.shape),
        )


def steps(shape: tuple[int, int]) -> list[np.ndarray]:
    found = []
    for place in range(shape[0] * shape[1]):
        step = np.zeros(shape[0] * shape[1], complex)
        step[place] = 1j * STEP
        found.append(step.reshape(shape))
    return found


@pytest.fixture(scope="module")
def by_hand(subject):
    return ByHand(subject)


@pytest.fixture(scope="module")
def slopes(by_hand):
    return by_hand.slopes(by_hand.source, by_hand.prefix)


def test_numbers(subject, by_hand):
    assert_allclose(subject.scores()[0], by_hand(by_hand.source, by_hand.prefix), rtol=1e-10)


def test_saliency(subject, slopes):
    found = Saliency().weigh(subject)
    assert_allclose(found.source, np.linalg.norm(slopes[0], axis=-1), rtol=1e-9)
    assert_allclose(found.prefix, np.linalg.norm(slopes[1], axis=-1), rtol=1e-9, atol=1e-15)


def test_input_x_gradient(subject, by_hand, slopes):
    found = InputXGradient().weigh(subject)
    assert_allclose(found.source, (slopes[0] * by_hand.source).sum(-1), rtol=1e-9)
    assert_allclose(found.prefix, (slopes[1] * by_hand.prefix).sum(-1), rtol=1e-9, atol=1e-15)


def test_integrated_gradients(subject, by_hand):
    """The middle rule of 40 places: another quadrature than the method's."""
    found = IntegratedGradients(gap=1e-6).weigh(subject)
    way = by_hand.source - by_hand.blank
    places = (np.arange(40) + 0.5) / 40
    slopes = [by_hand.slopes(by_hand.blank + a * way, by_hand.prefix[:1])[0] for a in places]
    assert_allclose(found.source[:1], (np.mean(slopes, axis=0) * way).sum(-1)[:1], rtol=2e-3)
    lost = by_hand(by_hand.source, by_hand.prefix) - by_hand(by_hand.blank, by_hand.prefix)
    assert_allclose(found.source.sum(1), lost, rtol=1e-4, atol=1e-6)
    assert found.figures["completeness_gap"] <= 1e-6


def test_smoothgrad_of_no_noise_is_saliency(subject):
    found, expected = SmoothGrad(samples=2, noise=0.0).weigh(subject), Saliency().weigh(subject)
    assert_allclose(found.source, expected.source, rtol=1e-12)
    noisy = SmoothGrad(samples=2).weigh(subject)
    assert not np.allclose(noisy.source, expected.source, rtol=1e-3)
    assert (noisy.source == SmoothGrad(samples=2).weigh(subject).source).all()


def test_gradient_shap_is_complete_in_the_mean(subject):
    """Over many baselines the weights sum to what is gained over them on average."""
    found = GradientShap(samples=80).weigh(subject)
    others = subject.drawn(400, torch.Generator().manual_seed(3))
    gained = subject.scores()[0] - subject.scores(others).mean(0)
    assert_allclose(found.source.sum(1), gained, atol=0.2)


# ---------------------------------------------------------------- integrals that are known


Function = Callable[[torch.Tensor], torch.Tensor]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: 3 * x[0] - 2 * x[1], [3.0, -2.0]),  # linear: the coefficients
        (lambda x: x[0] * x[1], [0.5, 0.5]),  # what two share, in halves
        (lambda x: x[0] ** 2 * x[1], [2 / 3, 1 / 3]),
        (lambda x: torch.relu(x[0] + x[1] - 1.37), [0.315, 0.315]),  # a corner on the way
        (lambda x: torch.sigmoid(80 * (x[0] - 0.4)), [1.0, 0.0]),  # a cliff on the way
    ],
)
def test_weights_that_are_known(function: Function, expected: list[float]):
    def slopes(places, which):
        ways = places[:, None].expand(-1, 2).clone().requires_grad_()
        values = torch.stack([function(way) for way in ways])
        return torch.autograd.grad(values.sum(), ways)[0], values.detach()

    found, gap = IntegratedGradients(gap=0.001)._integrated(slopes, 1)
    assert gap <= 0.001
    assert_allclose(found[0], expected, atol=2e-3)


def test_a_gap_that_cannot_be_closed_is_told():
    def slopes(places, which):  # a step: its slope is zero wherever it is looked at
        return torch.zeros(len(places), 1, dtype=torch.float64), (places > 0.3).double()

    found, gap = IntegratedGradients(most=64)._integrated(slopes, 1)
    assert gap == pytest.approx(1.0)
    assert found.sum() == 0
