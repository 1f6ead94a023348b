"""Occlusion, LIME and SHAP against brute force and closed forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from explained_models import TARGET, subject_of
from numpy.testing import assert_allclose

from transduce.explain.perturbations.coalitions import Players, of_source
from transduce.explain.perturbations.kernel_shap import KernelShap
from transduce.explain.perturbations.lime import Lime
from transduce.explain.perturbations.occlusion import Occlusion
from transduce.interfaces import BEGIN, UNKNOWN, Source

SLOPES = torch.tensor([1.5, -2.0, 0.25, 0.0, 3.0, -0.5], dtype=torch.float64)
PLAYERS = len(SLOPES)


def side(numbers, visible=PLAYERS) -> Players:
    return Players(PLAYERS, lambda kept: numbers(kept.double())[:, None], torch.tensor([visible]))


LINEAR = side(lambda z: 0.7 + z @ SLOPES)
# 2 where the first and third are there, and 6 where all of the first three are
JOINT = side(lambda z: z @ SLOPES + 2 * z[:, 0] * z[:, 2] + 6 * z[:, 0] * z[:, 1] * z[:, 2])


def log_probabilities(model, source: Source, prefix: list[int]) -> np.ndarray:
    with torch.no_grad():
        logits = model(source, torch.tensor([prefix]))[0].double()
    logits = logits - logits.logsumexp(-1, keepdim=True)
    return np.array([logits[step, token] for step, token in enumerate(TARGET)])


# ---------------------------------------------------------------- occlusion


def test_occlusion_of_symbols_is_brute_force():
    subject = subject_of("transformer-copy", length=3)
    model, prefix = subject.model, [BEGIN, *TARGET[:-1]]
    whole = log_probabilities(model, subject.source, prefix)
    found = Occlusion().weigh(subject)
    for place in range(4):
        changed = subject.source.values.clone()
        changed[0, place] = UNKNOWN
        lost = whole - log_probabilities(model, Source(changed, subject.source.lengths), prefix)
        assert_allclose(found.source[:, place], lost, atol=1e-5)
    for place in range(len(prefix)):
        without = [UNKNOWN if n == place else token for n, token in enumerate(prefix)]
        lost = whole - log_probabilities(model, subject.source, without)
        lost[:place] = 0
        assert_allclose(found.prefix[:, place], lost, atol=1e-5)


def test_occlusion_of_cells_is_brute_force():
    subject = subject_of("subsampling-gru", length=2)
    prefix = [BEGIN, *TARGET[:-1]]
    whole = log_probabilities(subject.model, subject.source, prefix)
    found = Occlusion().weigh(subject).source.numpy()
    of = subject.units.of.numpy()
    for unit in range(subject.units.count):
        frames = np.where(of == unit, 0, subject.source.values[0].numpy())
        source = Source(torch.from_numpy(frames)[None], subject.source.lengths)
        assert_allclose(
            found[:, unit], whole - log_probabilities(subject.model, source, prefix), atol=1e-5
        )


# ---------------------------------------------------------------- closed forms


def shapley(numbers) -> np.ndarray:
    """By all orders in which the players may come (Shapley 1953)."""
    every = torch.tensor(list(itertools.product([False, True], repeat=PLAYERS)))
    value = dict(zip(map(tuple, every.tolist()), numbers(every)[:, 0].tolist(), strict=True))
    found = np.zeros(PLAYERS)
    for order in itertools.permutations(range(PLAYERS)):
        there = [False] * PLAYERS
        for player in order:
            before = value[tuple(there)]
            there[player] = True
            found[player] += value[tuple(there)] - before
    return found / math.factorial(PLAYERS)


def test_kernel_shap_of_all_combinations_is_shapleys_value():
    chance = torch.Generator().manual_seed(1)
    found = KernelShap()._values(JOINT, chance)[0].numpy()
    assert_allclose(found, shapley(JOINT.numbers), atol=1e-9)
    # What players do together they share: 2 in halves, 6 in thirds.
    shared = np.array([3, 2, 3, 0, 0, 0])
    assert_allclose(found, SLOPES.numpy() + shared, atol=1e-9)


@pytest.mark.parametrize("samples", [512, 24])  # all combinations, some of them
def test_of_a_linear_number_the_slopes_are_found(samples):
    chance = torch.Generator().manual_seed(1)
    assert_allclose(KernelShap(samples=samples)._values(LINEAR, chance)[0], SLOPES, atol=1e-9)
    found = Lime(samples=samples, ridge=1e-12)._slopes(LINEAR, chance)[0]
    assert_allclose(found, SLOPES, atol=1e-6)


def test_drawn_kernel_shap_is_near_and_complete():
    found = KernelShap(samples=40)._values(JOINT, torch.Generator().manual_seed(1))[0].numpy()
    ends = JOINT.numbers(torch.tensor([[False] * PLAYERS, [True] * PLAYERS]))[:, 0]
    assert_allclose(found.sum(), float(ends[1] - ends[0]), atol=1e-9)
    assert_allclose(found, shapley(JOINT.numbers), atol=1.0)


def test_lime_is_the_weighted_ridge():
    """Solved anew with NumPy over all combinations."""
    lime = Lime(samples=64, width=0.4, ridge=0.01)
    found = lime._slopes(JOINT, torch.Generator().manual_seed(1))[0]
    z = np.array(list(itertools.product([0.0, 1.0], repeat=PLAYERS)))
    values = JOINT.numbers(torch.from_numpy(z).bool())[:, 0].numpy()
    near = np.exp(-(((1 - np.sqrt(z.mean(1))) / 0.4) ** 2))
    design = np.hstack([z, np.ones((64, 1))])
    held = 0.01 * near.sum() * np.diag([1.0] * PLAYERS + [0.0])
    expected = np.linalg.solve(
        design.T @ (near[:, None] * design) + held, design.T @ (near * values)
    )
    assert_allclose(found, expected[:-1], atol=1e-9)


@pytest.mark.parametrize("method", [KernelShap(samples=24), Lime(samples=24)])
def test_what_a_number_does_not_see_has_no_weight(method):
    """Its draws are few, and yet what comes later is exactly zero."""
    hidden = side(lambda z: z[:, :4] @ SLOPES[:4], visible=4)
    chance = torch.Generator().manual_seed(1)
    explain = method._values if isinstance(method, KernelShap) else method._slopes
    found = explain(hidden, chance)[0]
    assert not found[4:].any()
    assert_allclose(found[:4], SLOPES[:4], atol=1e-2)


def test_kernel_shap_of_a_model_is_shapleys_value():
    subject = subject_of("lstm-additive", length=3)
    found = KernelShap().weigh(subject).source
    numbers = of_source(subject).numbers
    players, expected = 4, torch.zeros_like(found)
    for order in itertools.permutations(range(players)):
        there = torch.zeros(players + 1, players, dtype=torch.bool)
        for place, player in enumerate(order, 1):
            there[place] = there[place - 1]
            there[place, player] = True
        values = numbers(there)
        for place, player in enumerate(order):
            expected[:, player] += values[place + 1] - values[place]
    assert_allclose(found, expected / math.factorial(players), atol=1e-5)
