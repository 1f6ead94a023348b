"""Gates of units: their distribution and gradients as the equations say, and what they learn."""

from __future__ import annotations

import copy
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from test_recurrent_pruning import BOTH, readable
from test_transformer_pruning import Block, batch_for, groups_of
from torch import Tensor

from architectures import ARCHITECTURES, make_model, make_source, make_source_for, sentences
from transduce.config import SearchConfig
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN, Batch
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import named_weights
from transduce.search import decode_all
from transduce.training.objectives.cross_entropy import CrossEntropy
from transduce.training.objectives.weighted import Weighted, WeightedSum
from transduce.workflow.pruning.learnt_gates import (
    backward_through_gates,
    gate_scores,
    open_probability,
    sampled_gates,
)
from transduce.workflow.pruning.prunable_units import (
    Place,
    RankedUnits,
    UnitGroup,
    every,
    weights_read,
)
from transduce.workflow.pruning.recurrent_units import hidden_groups

BETA, GAMMA, ZETA = 2 / 3, -0.1, 1.1
MODELS = [
    ("transformer-grouped", "feedforward"),
    ("transformer-grouped", "heads"),
    ("lstm-additive", "hidden"),
    ("gru-general", "hidden"),  # weights between the units of both sides
]


def test_gates_are_those_of_the_equations() -> None:
    """Values, the expected penalty and the gradients of both, float64."""
    generator = np.random.default_rng(1)
    log_alpha = generator.normal(0, 2, 200)
    uniform = generator.uniform(0.001, 0.999, 200)
    s = 1 / (1 + np.exp(-(np.log(uniform) - np.log(1 - uniform) + log_alpha) / BETA))
    stretched = s * (ZETA - GAMMA) + GAMMA
    inside = (stretched > 0) & (stretched < 1)
    assert 20 < inside.sum() < 180
    given = torch.tensor(log_alpha, requires_grad=True)
    found = sampled_gates(given, torch.tensor(uniform))
    np.testing.assert_allclose(found.detach().numpy(), stretched.clip(0, 1), rtol=1e-12)
    (slopes,) = torch.autograd.grad(found.sum(), given)
    expected = np.where(inside, (ZETA - GAMMA) * s * (1 - s) / BETA, 0)
    np.testing.assert_allclose(slopes.numpy(), expected, rtol=1e-10, atol=1e-12)
    p = 1 / (1 + np.exp(-(log_alpha - BETA * np.log(-GAMMA / ZETA))))
    chance = open_probability(given)
    np.testing.assert_allclose(chance.detach().numpy(), p, rtol=1e-12)
    (slopes,) = torch.autograd.grad(chance.sum(), given)
    np.testing.assert_allclose(slopes.numpy(), p * (1 - p), rtol=1e-10)
    drawn = torch.rand(20_000, dtype=torch.float64)
    for number in (-2.0, 0.0, 1.5):
        gates = sampled_gates(torch.full_like(drawn, number), drawn)
        assert float((gates > 0).double().mean()) == pytest.approx(
            float(open_probability(torch.tensor(number))), abs=0.02
        )


def test_gradients_of_gates_are_those_of_the_equation() -> None:
    """``∂L/∂z`` of ``V (W_2 (z ⊙ relu(W_1 x + b_1)) + b_2)``, L with label smoothing."""
    torch.manual_seed(5)
    model = Block().double()
    rows = [2, 5, 7, 3]
    batch = Batch(make_source([[4]]), torch.tensor([rows]), torch.tensor([len(rows) - 1]), ())
    weights = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    z = np.array([0.3, 0.0, 1.0, 0.7, 0.9])
    tokens, wanted = batch.target_input[0].numpy(), batch.target_output[0].numpy()
    x = weights["table"][tokens]
    inner, output = "feedforward.inner", "feedforward.output"
    hidden = np.maximum(x @ weights[f"{inner}.weight"].T + weights[f"{inner}.bias"], 0)
    left = (z * hidden) @ weights[f"{output}.weight"].T + weights[f"{output}.bias"]
    logits = left @ weights["output"].T
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    symbols, smoothing = p.shape[1], 0.1
    q = np.full_like(p, smoothing / symbols)
    q[np.arange(len(wanted)), wanted] += 1 - smoothing
    slope = (p - q) / len(wanted) @ weights["output"]
    expected = np.einsum("tu,td,du->u", hidden, slope, weights[f"{output}.weight"])
    gates = torch.tensor(z, requires_grad=True)
    _backward(model, _block_groups(), [[gates]], batch, CrossEntropy(smoothing))
    np.testing.assert_allclose(gates.grad.numpy(), expected, rtol=1e-8)


def _block_groups() -> list[UnitGroup]:
    names = ("inner.weight", "inner.bias", "output.weight")
    places = tuple(
        Place(f"feedforward.{name}", int(name == names[2]), every(5), reads=name == names[2])
        for name in names
    )
    return [UnitGroup("feedforward", (RankedUnits(places),), ())]


def _backward(
    model: Seq2Seq,
    groups: list[UnitGroup],
    gates: list[list[Tensor]],
    batch: Batch,
    objective: CrossEntropy,
) -> float:
    """The loss a token; gradients are in the gates, the weights as before."""
    weights = weights_read(model, groups)
    whole = {name: weight.detach().clone() for name, weight in weights.items()}
    total = WeightedSum(model, [Weighted(1.0, objective)], nullcontext).eval()
    backward_through_gates(total, weights, whole, groups, gates, batch)
    with torch.no_grad():
        loss = float(total(batch, batch.target_input)[0]) / int((batch.target_output != 0).sum())
        for name, weight in weights.items():
            weight.copy_(whole[name])
    return loss


def units_of(name: str, part: str) -> tuple[Seq2Seq, list[UnitGroup]]:
    model = readable(name) if part == "hidden" else make_model(ARCHITECTURES[name])
    return model, hidden_groups(model, BOTH) if part == "hidden" else groups_of(model, part)


@pytest.mark.parametrize(("name", "part"), MODELS)
def test_gradients_of_gates_are_those_of_small_steps(name: str, part: str) -> None:
    model, groups = units_of(name, part)
    model.double()
    batch = batch_for(model)
    generator = torch.Generator().manual_seed(2)

    def drawn() -> list[list[Tensor]]:
        generator.manual_seed(2)
        return [
            [torch.rand(u.count, generator=generator, dtype=torch.float64) for u in group.units]
            for group in groups
        ]

    gates = [[gate.requires_grad_() for gate in own] for own in drawn()]
    _backward(model, groups, gates, batch, CrossEntropy())
    for place, own in enumerate(gates):
        for number, gate in enumerate(own):
            losses = []
            for step in (-1e-5, 1e-5):
                moved = drawn()
                moved[place][number][1] += step
                asked = [[g.requires_grad_() for g in each] for each in moved]
                losses.append(_backward(model, groups, asked, batch, CrossEntropy()))
            slope = (losses[1] - losses[0]) / 2e-5
            assert float(gate.grad[1]) == pytest.approx(slope, rel=1e-3, abs=1e-9)


def own_outputs(model: Seq2Seq) -> Batch:
    """The model's own outputs, of which it is sure: whatever it uses it misses."""
    with torch.no_grad():
        model.output.bias[[PADDING, UNKNOWN, BEGIN]] = -1e4
        for place in ("weight", "bias"):
            getattr(model.output, place).mul_(30)
    sources = sentences(4, 2, 6, seed=1)
    outputs = decode_all(model, sources, SearchConfig(max_length=5))
    rows = [[BEGIN, *best.tokens, *([END] if best.finished else [])] for best, *_ in outputs]
    longest = max(map(len, rows))
    target = torch.tensor([[*row, *[PADDING] * (longest - len(row))] for row in rows])
    lengths = torch.tensor([len(row) - 1 for row in rows])
    return Batch(make_source_for(model, sources), target, lengths, ())


@pytest.mark.learning
def test_a_unit_that_matters_stays() -> None:
    """Unit 1 alone writes the right symbol, unit 3 a wrong one, the others nothing."""
    model = Block()
    with torch.no_grad():
        model.feedforward.inner.weight.zero_()
        model.feedforward.inner.bias.fill_(1.0)  # all are on
        model.feedforward.output.weight.zero_()
        model.feedforward.output.bias.zero_()
        model.output.zero_()
        model.feedforward.output.weight[0, 1] = 4.0
        model.feedforward.output.weight[1, 3] = 1.0
        model.output[5, 0] = model.output[6, 1] = 1.0
    batch = Batch(make_source([[4]]), torch.tensor([[2, 5, 5, 5]]), torch.tensor([3]), ())
    groups, objectives = _block_groups(), [Weighted(1.0, CrossEntropy())]
    ((scores,),) = gate_scores(model, groups, [batch], objectives, 0.2, steps=120)
    assert scores[1] > 0.9
    assert scores[[0, 2, 3, 4]].max() < 0.3


@pytest.mark.learning
@pytest.mark.parametrize(("name", "part"), MODELS)
def test_units_that_do_nothing_go_first(name: str, part: str) -> None:
    model, groups = units_of(name, part)
    with torch.no_grad():
        for group in groups:  # nothing reads the first of each
            for units in group.units:
                for place in units.places:
                    if place.reads and place.first == 0:
                        weight = named_weights(model)[place.name]
                        weight.index_fill_(place.dim, place.owned[0], 0)
    batch = own_outputs(model)
    before = copy.deepcopy(model.state_dict())
    count = sum(units.count for group in groups for units in group.units)
    kept = 1 - sum(len(group.units) for group in groups) / count
    scores = gate_scores(model, groups, [batch], [Weighted(1.0, CrossEntropy())], kept, steps=80)
    dead = torch.stack([own[0] for each in scores for own in each])
    others = torch.cat([own[1:] for each in scores for own in each])
    assert (others > dead.max()).double().mean() > 0.85  # some of the others are of no use, either
    for key, weight in model.state_dict().items():
        torch.testing.assert_close(weight, before[key], rtol=0, atol=0)
    assert not any(weight.grad is not None for weight in model.parameters())
