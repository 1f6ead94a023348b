"""R-Drop, SimCut and adversarial training: their equations, what a model learns by them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from objective_oracles import BATCH, forward_of, log_softmax, nll, real_batch
from torch import Tensor
from training_fakes import ToyBatches, ToyModel, toy_config

from architectures import ARCHITECTURES, make_model
from transduce.config import Config
from transduce.config.recipe import require_agreement
from transduce.errors import ConfigError
from transduce.interfaces import PADDING
from transduce.modules.chance import drawn_from
from transduce.modules.dropout import Dropout
from transduce.training.distributed import Processes
from transduce.training.learner import Learner
from transduce.training.objectives.choose import choose_objectives
from transduce.training.objectives.cross_entropy import CrossEntropy
from transduce.training.objectives.forward import Forward
from transduce.training.objectives.objective import Objective
from transduce.training.objectives.weighted import Weighted
from transduce.training.regularization.adversarial import Adversarial
from transduce.training.regularization.direction import of_size
from transduce.training.regularization.divergence import (
    divergence,
    symmetric_divergence,
)
from transduce.training.regularization.r_drop import RDrop, SecondPass
from transduce.training.regularization.simcut import SimCut, cutoff
from transduce.training.regularization.virtual_adversarial import VirtualAdversarial

ALONE = Processes(0, 1, torch.device("cpu"))
ALL = {
    "rdrop": RDrop(),
    "simcut": SimCut(0.3),
    "fgm": Adversarial(2.0),
    "vat": VirtualAdversarial(2.0),
}


# ---------------------------------------------------------------- the equations, in NumPy


def kl(p: Tensor, q: Tensor, targets: Tensor) -> float:
    log_p, log_q = log_softmax(p), log_softmax(q)
    each = (np.exp(log_p) * (log_p - log_q)).sum(-1)
    return float(each[targets.numpy() != PADDING].sum())


def test_divergences_are_those_of_the_equations() -> None:
    generator = torch.Generator().manual_seed(1)
    p, q = (torch.randn(2, 3, 5, generator=generator).double().requires_grad_() for _ in range(2))
    targets = torch.tensor([[4, 3, 2], [4, PADDING, PADDING]])
    assert divergence(p, q, targets).item() == pytest.approx(kl(p, q, targets), rel=1e-12)
    both = kl(p, q, targets) + kl(q, p, targets)
    assert symmetric_divergence(p, q, targets).item() == pytest.approx(both, rel=1e-12)
    for function in (divergence, symmetric_divergence):
        assert torch.autograd.gradcheck(lambda a, b, f=function: f(a, b, targets), (p, q))
        assert function(p, p, targets).item() == 0
    assert divergence(p, q, torch.zeros_like(targets)).item() == 0


def test_r_drop_compares_two_passes_and_learns_from_both() -> None:
    forward = forward_of(ToyModel(dropout=0.3).double())
    targets = BATCH.target_output
    first, second = forward.logits, forward.second.logits
    assert not torch.equal(first, second)
    expected = (kl(first, second, targets) + kl(second, first, targets)) / 2
    assert RDrop()(forward).item() == pytest.approx(expected, rel=1e-9)
    again = SecondPass(CrossEntropy(0.1))
    assert again.name == "second_cross_entropy"
    assert again(forward).item() == pytest.approx(nll(second, targets, 0.1), rel=1e-9)


def test_simcut_compares_with_a_pass_of_zeroed_tokens() -> None:
    model = ToyModel().double()
    forward = forward_of(model)
    with drawn_from(torch.Generator().manual_seed(4)):
        found = SimCut(0.4)(forward)
    with drawn_from(torch.Generator().manual_seed(4)):
        again = forward.again()
        cut = [cutoff(again.source_vectors, 0.4), cutoff(again.target_vectors, 0.4)]
    assert any((part == 0).all(-1).any() for part in cut)
    expected = kl(forward.logits, forward.reading(*cut), BATCH.target_output)
    assert found.item() == pytest.approx(expected, rel=1e-9)
    assert found.item() > 0


def test_simcut_learns_through_both_predictions() -> None:
    """As the paper does, unlike virtual adversarial training."""
    forward = forward_of(ToyModel().double())
    for objective, learns in ((SimCut(0.4), True), (VirtualAdversarial(2.0), False)):
        forward.logits.retain_grad()
        forward.logits.grad = None
        objective(forward).backward(retain_graph=True)
        assert (forward.logits.grad is not None) == learns, objective.name


def test_cutoff_zeroes_so_large_a_share_of_whole_tokens() -> None:
    vectors = torch.ones(100, 100, 3)
    cut = cutoff(vectors, 0.3)
    gone = (cut == 0).all(-1)
    assert torch.equal(gone, (cut == 0).any(-1))
    assert abs(float(gone.float().mean()) - 0.3) < 0.02  # 4.4 standard deviations
    assert torch.equal(cut[~gone], vectors[~gone])


def test_change_is_that_of_the_steepest_rise() -> None:
    """The gradient by central differences, in float64; one norm for both sides of a pair."""
    model, targets, size, h = ToyModel().double(), BATCH.target_output, 0.5, 1e-6
    forward = forward_of(model)
    vectors = [forward.source_vectors.detach(), forward.target_vectors.detach()]

    def loss(changed: Sequence[Tensor]) -> float:
        return nll(forward.reading(changed[0], changed[1]), targets, 0.1)

    slopes = []
    for side in (0, 1):
        slope = np.zeros(vectors[side].shape)
        for place in np.ndindex(*slope.shape):
            moved = []
            for step in (h, -h):
                changed = [part.clone() for part in vectors]
                changed[side][place] += step
                moved.append(loss(changed))
            slope[place] = (moved[0] - moved[1]) / (2 * h)
        slopes.append(slope)
    norms = np.sqrt(sum((slope**2).sum((1, 2)) for slope in slopes))
    changed = [
        part + torch.from_numpy(size * slope / norms[:, None, None])
        for part, slope in zip(vectors, slopes, strict=True)
    ]
    found = Adversarial(size, 0.1)(forward).item()
    assert found == pytest.approx(loss(changed), rel=1e-6)
    assert found > nll(forward.logits, targets, 0.1)


def test_virtual_change_alters_predictions_more_than_random_ones_of_its_size() -> None:
    model, targets = ToyModel().double(), BATCH.target_output
    forward = forward_of(model)
    torch.manual_seed(0)
    found = VirtualAdversarial(0.5)(forward).item()
    vectors = forward.source_vectors.detach(), forward.target_vectors.detach()
    for _ in range(20):
        random = of_size((torch.randn_like(vectors[0]), torch.randn_like(vectors[1])), 0.5)
        moved = forward.reading(vectors[0] + random[0], vectors[1] + random[1])
        assert found > kl(forward.logits, moved, targets)


def test_virtual_change_is_one_power_iteration() -> None:
    """``g`` from finite differences of the divergence at the same random direction."""
    model, targets, size, h = ToyModel(width=4).double(), BATCH.target_output, 0.5, 1e-6
    forward = forward_of(model)
    with drawn_from(torch.Generator().manual_seed(2)):
        found = VirtualAdversarial(size)(forward).item()
    own = torch.Generator().manual_seed(2)
    vectors = [forward.source_vectors.detach(), forward.target_vectors.detach()]
    masks = [BATCH.source.mask, BATCH.target_input != PADDING]
    random = [
        torch.randn(part.shape, dtype=part.dtype, generator=own).numpy() * mask.numpy()[..., None]
        for part, mask in zip(vectors, masks, strict=True)
    ]
    norms = np.sqrt(sum((part**2).sum((1, 2)) for part in random))[:, None, None]
    probe = [torch.from_numpy(0.1 * part / norms) for part in random]

    def changed(by: Sequence[Tensor]) -> float:
        moved = forward.reading(vectors[0] + by[0], vectors[1] + by[1])
        return kl(forward.logits, moved, targets)

    slopes = []
    for side in (0, 1):
        slope = np.zeros(vectors[side].shape)
        for place in np.ndindex(*slope.shape):
            ends = []
            for step in (h, -h):
                by = [part.clone() for part in probe]
                by[side][place] += step
                ends.append(changed(by))
            slope[place] = (ends[0] - ends[1]) / (2 * h)
        slopes.append(slope)
    norms = np.sqrt(sum((slope**2).sum((1, 2)) for slope in slopes))[:, None, None]
    expected = changed([torch.from_numpy(size * slope / norms) for slope in slopes])
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_change_is_as_long_as_asked_in_every_pair_and_zero_stays_zero() -> None:
    direction = torch.randn(3, 4, 2), torch.randn(3, 5, 2)
    for part in direction:
        part[1] = 0
    source, target = of_size(direction, 2.5)
    norms = (source.square().sum((1, 2)) + target.square().sum((1, 2))).sqrt()
    torch.testing.assert_close(norms, torch.tensor([2.5, 0, 2.5]))


# ---------------------------------------------------------------- every architecture


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_learns_by_all_of_them(name: str) -> None:
    model = make_model(ARCHITECTURES[name]).train()
    forward = forward_of(model, real_batch(model))
    torch.manual_seed(1)
    values = {name: ALL[name](forward) for name in ("simcut", "fgm", "vat")}
    plain = CrossEntropy()(forward)
    assert values["fgm"] > plain > 0
    assert values["simcut"] > 0
    assert values["vat"] > 0
    parameters = [p for p in model.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(sum(values.values()), parameters, allow_unused=True)
    assert all(torch.isfinite(own).all() for own in gradients if own is not None)
    assert forward.reading(forward.source_vectors, forward.target_vectors).equal(forward.logits)


def test_embeddings_that_do_not_learn_are_changed_all_the_same() -> None:
    model = make_model(ARCHITECTURES["transformer"]).train()
    batch = real_batch(model)
    expected = Adversarial(2.0)(forward_of(model, batch)).item()
    model.source_embedding.requires_grad_(False)
    model.target_embedding.requires_grad_(False)
    found = Adversarial(2.0)(forward_of(model, batch))
    assert found.item() == pytest.approx(expected, rel=1e-5)
    found.backward()
    assert model.target_embedding.weight.grad is None


# ---------------------------------------------------------------- learning by them


def learned(objectives: Sequence[Weighted]) -> ToyModel:
    model = ToyModel()
    model.dropout = Dropout(0.3)  # type: ignore[assignment]
    learner = Learner(model.train(), objectives, toy_config(max_steps=1), ALONE)
    torch.manual_seed(5)
    for epoch in range(4):
        for batch in ToyBatches().iterate(epoch):
            learner.step([batch], float(batch.target_lengths.sum()), 0.01, 0.0)
    return model


def measured(model: ToyModel, measure: Callable[[Forward], Tensor]) -> float:
    torch.manual_seed(9)
    batch = next(iter(ToyBatches(pairs=200, size=200, seed=7).iterate(0)))
    return measure(forward_of(model, batch)).item()


@pytest.mark.parametrize("name", ALL)
def test_a_model_withstands_better_what_it_was_trained_against(name: str) -> None:
    objective: Objective = ALL[name]
    harm = (lambda f: objective(f) - CrossEntropy()(f)) if name == "fgm" else objective
    plain = learned([Weighted(1.0, CrossEntropy())])
    trained = learned([Weighted(1.0, CrossEntropy()), Weighted(3.0, objective)])
    assert measured(trained, harm) < 0.8 * measured(plain, harm)


# ---------------------------------------------------------------- chosen by a recipe


def weights(**options: Any) -> dict[str, float]:
    stack = {**ARCHITECTURES["gru-general"]}
    stack["decoder"] = {**stack["decoder"], "dropout": 0.1}
    model = make_model({**stack, "ctc": options.pop("ctc", False)})
    chosen = choose_objectives(toy_config(max_steps=1, **options), model)
    return {each.objective.name: each.weight for each in chosen}


def test_nothing_is_added_unless_asked_for() -> None:
    assert weights() == {"cross_entropy": 1.0}


def test_both_passes_share_what_one_counted() -> None:
    found = weights(r_drop_weight=5.0)
    assert found == {"cross_entropy": 0.5, "second_cross_entropy": 0.5, "r_drop": 2.5}


def test_weights_are_the_recipes_beside_the_decoders_share() -> None:
    found = weights(
        simcut_weight=3.0, adversarial_weight=1.0, virtual_adversarial_weight=0.5, ctc=True
    )
    assert found.keys() == {"cross_entropy", "simcut", "adversarial", "virtual_adversarial", "ctc"}
    expected = [0.7, 2.1, 0.7, 0.35, 0.3]
    assert all(map(math.isclose, found.values(), expected))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("simcut_share=0.1", r"simcut_share must be left out without training\.simcut_weight"),
        (
            "adversarial_size=2",
            r"adversarial_size must be left out without training\.adversarial_weight and "
            r"training\.virtual_adversarial_weight; got 2",
        ),
        ("adversarial_size=0", r"adversarial_size must be .*0"),
        ("simcut_share=1", r"simcut_share must be .*1"),
        ("r_drop_weight=-1", r"r_drop_weight must be .*-1"),
    ],
)
def test_options_without_effect_or_sense_are_refused(given: str, wanted: str) -> None:
    name, value = given.split("=")
    with pytest.raises(ConfigError, match=wanted):
        require_agreement(Config.from_mapping({"training": {name: float(value)}}))


def test_r_drop_needs_dropout() -> None:
    model = make_model(ARCHITECTURES["gru-general"])
    with pytest.raises(ConfigError, match=r"r_drop_weight must be 0 where .* no dropout.*; got 2"):
        choose_objectives(toy_config(max_steps=1, r_drop_weight=2.0), model)
