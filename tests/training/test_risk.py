"""Minimum-risk training: its equations, what is drawn, what a model learns by it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_fakes import ToyBatches, ToyScore, toy_config, weights_of

import transduce.training.chunks.cut as cutting
from architectures import ARCHITECTURES, make_model
from small_runs import tiny, train_tiny, words, write_reversals
from transduce.config import Config
from transduce.config.recipe import require_agreement
from transduce.errors import ConfigError
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN, Batch
from transduce.models.seq2seq import Seq2Seq
from transduce.modules.chance import drawn_from
from transduce.training.chunks.team import torch_threads
from transduce.training.chunks.ways import FixedWay, Way
from transduce.training.distributed import Processes
from transduce.training.learner import Learner
from transduce.training.loop import train
from transduce.training.objectives.choose import choose_objectives
from transduce.training.objectives.cross_entropy import CrossEntropy
from transduce.training.objectives.forward import Forward
from transduce.training.objectives.objective import Objective
from transduce.training.objectives.weighted import Weighted
from transduce.training.risk.drawn_outputs import draw_outputs
from transduce.training.risk.engine_draw import EngineDraw
from transduce.training.risk.metric_cost import MetricCost
from transduce.training.risk.minimum_risk import MinimumRisk, expected_cost
from transduce.training.risk.reinforcement import Reinforcement, reinforced_cost

ALONE = Processes(0, 1, torch.device("cpu"))
BATCH = next(iter(ToyBatches().iterate(0)))
KINDS = ["gru-general", "transformer"]


def spelled(tokens: Sequence[int]) -> str:
    return " ".join(map(str, tokens))


COST = MetricCost("per", spelled, symbols=True)


def forward_of(model: Seq2Seq, batch: Batch = BATCH) -> Forward:
    return Forward(model, batch, batch.target_input, nullcontext)


def test_expected_cost_is_the_equation() -> None:
    scores = torch.tensor([[-3.0, -5.0, -1.0], [-2.0, -2.0, -9.0]]).double().requires_grad_()
    costs = torch.tensor([[0.0, 0.5, 1.0], [0.0, 0.3, 0.7]]).double()
    repeated = torch.tensor([[False, False, False], [False, True, False]])
    weights = np.exp(0.4 * scores.detach().numpy()) * ~repeated.numpy()
    expected = (weights / weights.sum(1, keepdims=True) * costs.numpy()).sum()
    assert expected_cost(scores, costs, repeated, 0.4).item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(lambda s: expected_cost(s, costs, repeated, 0.4), scores)


@pytest.mark.parametrize("name", KINDS)
def test_risk_is_that_of_the_sample_with_the_reference(name: str) -> None:
    model = make_model(ARCHITECTURES[name]).double()
    with drawn_from(torch.Generator().manual_seed(3)):
        found = MinimumRisk(COST, 4, 0.2)(forward_of(model))
    gold = BATCH.target_output
    most = gold.shape[1] + gold.shape[1] // 2 + 5
    with drawn_from(torch.Generator().manual_seed(3)):
        drawn = draw_outputs(forward_of(model), 4, most).view(len(gold), 4, -1).tolist()
    risk = 0.0
    for b in range(len(gold)):
        rows = {tuple(t for t in row if t != PADDING) for row in [gold[b].tolist(), *drawn[b]]}
        reference = [t for t in gold[b].tolist() if t > END]
        weights, costs = [], []
        source = BATCH.source.select(torch.tensor([b]))
        for row in rows:
            logits = model(source, torch.tensor([[BEGIN, *row[:-1]]]))[0].detach().numpy()
            log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            weights.append(np.exp(0.2 * sum(log_probs[t, token] for t, token in enumerate(row))))
            costs.append(distance([t for t in row if t > END], reference) / len(reference))
        risk += float(np.dot(weights, costs) / np.sum(weights))
    assert found.item() == pytest.approx(risk, rel=1e-9)


def test_reinforced_cost_is_the_mean_with_the_gradient_of_the_equation() -> None:
    scores = torch.tensor([[-3.0, -5.0, -1.0], [-2.0, -2.0, -9.0]]).double().requires_grad_()
    costs = np.array([[0.0, 0.5, 1.0], [0.2, 0.3, 0.7]])
    found = reinforced_cost(scores, torch.from_numpy(costs))
    assert found.item() == pytest.approx(costs.mean(1).sum(), rel=1e-12)
    found.backward()  # type: ignore[no-untyped-call]
    for b in range(2):
        for k in range(3):
            others = [costs[b, j] for j in range(3) if j != k]
            expected = (costs[b, k] - sum(others) / 2) / 3
            assert scores.grad is not None
            assert scores.grad[b, k].item() == pytest.approx(expected, rel=1e-12)


def test_reinforcement_follows_the_gradient_of_the_true_expectation() -> None:
    """Of a sentence whose outputs are one token: all of them are summed up, and drawn often."""
    model = make_model(ARCHITECTURES["gru-general"]).double()
    source = BATCH.source.select(torch.tensor([0]))
    batch = Batch(source, torch.tensor([[BEGIN, 4]]), torch.tensor([1]), (0,))
    bias = model.output.bias
    worth = torch.linspace(0, 1, len(bias)).double()

    class FirstToken:
        def __call__(self, outputs: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
            return worth[outputs[:, 0]]

    whole = forward_of(model, batch).logits[0, 0]
    logits = torch.full_like(whole, -torch.inf)
    allowed = [t for t in range(len(whole)) if t not in (PADDING, UNKNOWN, BEGIN)]
    logits[allowed] = whole[allowed]
    expectation = (torch.softmax(logits, -1) * worth).sum()
    (expected,) = torch.autograd.grad(expectation, bias)
    torch.manual_seed(1)
    value = Reinforcement(FirstToken(), 4000)(forward_of(model, batch))
    (found,) = torch.autograd.grad(value, bias)
    assert value.item() == pytest.approx(expectation.item(), abs=0.03)
    assert torch.nn.functional.cosine_similarity(found[allowed], expected[allowed], dim=0) > 0.9


def distance(left: list[int], right: list[int]) -> int:
    """Levenshtein's, by its recurrence."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        above, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (a != b))
    return row[-1]


@pytest.mark.parametrize(
    ("metric", "costs"), [("exact_match", [0, 1, 1]), ("per", [0, 0.5, 1.0]), ("bleu", None)]
)
def test_cost_is_the_metrics_share(metric: str, costs: list[float] | None) -> None:
    outputs = torch.tensor([[4, 5, END], [4, 6, END], [7, 8, END]])
    references = torch.tensor([[4, 5, END, PADDING]] * 3)
    found = MetricCost(metric, spelled, symbols=True)(outputs, references).tolist()
    if costs is not None:
        assert found == pytest.approx(costs)
    assert found[0] == pytest.approx(0)
    assert found[0] < found[1] <= found[2] <= 1


def measured(model: Seq2Seq, objective: Objective) -> float:
    torch.manual_seed(7)
    batch = next(iter(ToyBatches(pairs=60, size=60, seed=7).iterate(0)))
    with torch.no_grad():
        return objective(forward_of(model, batch)).item()


@pytest.mark.parametrize(
    ("risk", "measure"),
    [
        (MinimumRisk(COST, 8, 1.0), MinimumRisk(COST, 20, 1.0)),
        (Reinforcement(COST, 8), Reinforcement(COST, 20)),
    ],
)
def test_it_lowers_the_risk(risk: Objective, measure: Objective) -> None:
    """From a model that has learnt little, by this objective alone."""
    model = make_model(ARCHITECTURES["gru-general"]).train()
    config = toy_config(max_steps=1)
    torch.manual_seed(5)
    for objective, epochs in ((CrossEntropy(), 3), (risk, 3)):
        before = measured(model, measure)
        learner = Learner(model, [Weighted(1.0, objective)], config, ALONE)
        for epoch in range(epochs):
            for batch in ToyBatches().iterate(epoch):
                learner.step([batch], float(batch.target_lengths.sum()), 0.01, 0.0)
    assert measured(model, measure) < 0.9 * before


def test_two_threads_give_the_bits_of_the_seed_through_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "_LEAST_ROWS", 2)
    monkeypatch.setattr(cutting, "_LEAST_WORK", 0)

    def run(folder: str, steps: int, *, resume: bool = False) -> bytes:
        config = toy_config(max_steps=steps, schedule="constant", evaluate_every=3)
        model = make_model(ARCHITECTURES["gru-general"], seed=1 + resume)
        score = ToyScore()
        risk = MinimumRisk(COST, 3, 0.5, EngineDraw(model))
        objectives = (Weighted(1.0, CrossEntropy()), Weighted(0.5, risk))
        train(model, objectives, ToyBatches(), config, tmp_path / folder, score, resume=resume)
        return weights_of(tmp_path / folder)

    with torch_threads(2):
        whole = run("whole", 6)
        run("cut", 4)
        assert run("cut", 6, resume=True) == whole
        assert run("again", 6) == whole


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_alone_it_reaches_every_weight(precision: str) -> None:
    model = make_model(ARCHITECTURES["transformer"]).train()
    config = toy_config(max_steps=1, precision=precision, clip_norm=None)
    learner = Learner(model, [Weighted(1.0, MinimumRisk(COST, 4, 1.0))], config, ALONE)
    learner._ways = FixedWay(Way.ALONE)
    torch.manual_seed(1)
    learner.step([BATCH], 10.0, 0.0, 0.0)
    missing = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert [name for name in missing if not name.endswith("bias")] == []


def test_a_sentence_without_a_target_costs_nothing() -> None:
    empty = Batch(BATCH.source, torch.tensor([[BEGIN, PADDING]] * 5), torch.zeros(5).long(), ())
    assert MinimumRisk(COST, 2, 1.0)(forward_of(make_model(ARCHITECTURES[KINDS[0]]), empty)) == 0


# ---------------------------------------------------------------- from a recipe


def test_recipes_choose_it() -> None:
    model = make_model(ARCHITECTURES["gru-general"])
    config = toy_config(max_steps=1, risk_weight=0.5, risk_samples=3)
    chosen = choose_objectives(config, model, None, COST)
    assert [(each.objective.name, each.weight) for each in chosen][1:] == [("risk", 0.5)]

    config = toy_config(max_steps=1, risk_weight=0.5, risk_method="reinforcement")
    chosen = choose_objectives(config, model, None, COST)
    assert [(e.objective.name, e.weight) for e in chosen][1:] == [("reinforcement", 0.5)]
    objective = chosen[1].objective
    assert isinstance(objective, Reinforcement)
    assert isinstance(objective._draw, EngineDraw)


def tiny_run(tmp_path: Path, **training: Any) -> bytes:
    data = write_reversals(tmp_path / "pairs.tsv", words(1, 20))
    train_tiny(tiny({"train": data, "dev": data}, training=training), tmp_path / "run")
    return weights_of(tmp_path / "run")


def test_a_run_learns_by_the_metric_that_is_named(tmp_path: Path) -> None:
    found = []
    for metric in ("cer", "exact_match"):
        folder = tmp_path / metric
        folder.mkdir()
        found.append(tiny_run(folder, risk_weight=1.0, risk_metric=metric))
    assert found[0] != found[1]


def test_a_metric_of_texts_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"training\.metric must be a metric of texts .*cer.*; got loss"
    ):
        tiny_run(tmp_path, risk_weight=1.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("risk_samples", 4), ("risk_metric", "cer"), ("risk_method", "reinforcement")],
)
def test_options_without_effect_are_refused(name: str, value: Any) -> None:
    config = Config.from_mapping({"training": {name: value}})
    with pytest.raises(
        ConfigError, match=rf"{name} must be left out without training\.risk_weight; got {value}"
    ):
        require_agreement(config)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"risk_samples": 1}, r"risk_samples must be at least 2 .* reinforcement.*; got 1"),
        ({"risk_sharpness": 1.0}, r"risk_sharpness must be left out .* reinforcement; got 1"),
    ],
)
def test_options_that_reinforcement_has_no_use_for_are_refused(
    given: dict[str, float], wanted: str
) -> None:
    training = {"risk_weight": 1.0, "risk_method": "reinforcement", **given}
    with pytest.raises(ConfigError, match=wanted):
        require_agreement(Config.from_mapping({"training": training}))
