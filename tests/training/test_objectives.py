"""What is minimised: sums of any objectives, and that a new one needs nobody's leave."""

from __future__ import annotations

import math
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import Field
from torch import Tensor
from training_fakes import ToyBatches, ToyModel, ToyScore, toy_config

from transduce.config.base import Section
from transduce.interfaces import PADDING
from transduce.training.distributed import Processes
from transduce.training.learner import Learner
from transduce.training.loop import train
from transduce.training.objectives.cross_entropy import CrossEntropy
from transduce.training.objectives.forward import Forward
from transduce.training.objectives.weighted import Weighted, WeightedSum
from transduce.training.record.log import read_log


# ---------------------------------------------------------------- a new objective: this, no more
class AgreementConfig(Section):
    """Options of an objective that the package does not know."""

    weight: float = Field(0.5, ge=0, le=100)


class Agreement:
    """Two passes of the same batch shall agree: KL from the first's prediction to the second's."""

    name = "agreement"

    def __call__(self, forward: Forward) -> Tensor:
        first = forward.logits.log_softmax(-1)
        second = forward.again().logits.log_softmax(-1)
        real = forward.batch.target_output != PADDING
        return ((first.exp() * (first - second)).sum(-1) * real).sum()


def objectives(options: AgreementConfig) -> list[Weighted]:
    return [Weighted(1.0, CrossEntropy()), Weighted(options.weight, Agreement())]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def test_sums_are_those_of_the_equations() -> None:
    model = ToyModel().double()
    batch = next(iter(ToyBatches().iterate(0)))
    targets = batch.target_output.numpy()
    logits = model(batch.source, batch.target_input).detach().numpy()
    log_probs, real = log_softmax(logits), targets != PADDING
    plain = -(np.take_along_axis(log_probs, targets[..., None], -1)[..., 0] * real).sum()
    uniform = -(log_probs.mean(-1) * real).sum()
    smoothed = (1 - 0.2) * plain + 0.2 * uniform
    both = WeightedSum(
        model, [Weighted(0.75, CrossEntropy(0.2)), Weighted(2.0, Agreement())], nullcontext
    )
    total, figures = both(batch, batch.target_input)
    # without dropout two passes agree
    np.testing.assert_allclose(figures, [0.75 * smoothed, plain, smoothed, 0], atol=1e-9)
    assert total.item() == pytest.approx(0.75 * smoothed)
    assert total.requires_grad
    assert not figures.requires_grad


def test_two_passes_differ_by_dropout_alone() -> None:
    torch.manual_seed(3)
    batch = next(iter(ToyBatches().iterate(0)))
    model = ToyModel(dropout=0.3)
    forward = Forward(model, batch, batch.target_input, nullcontext)
    assert forward.logits is forward.logits
    assert not torch.equal(forward.again().logits, forward.logits)
    assert Agreement()(forward).item() > 0
    still = Forward(model.eval(), batch, batch.target_input, nullcontext)
    assert torch.equal(still.again().logits, still.logits)


def test_the_plain_loss_is_told_where_nothing_makes_it_on_the_way() -> None:
    batch = next(iter(ToyBatches().iterate(0)))
    model = ToyModel()
    config, alone = toy_config(max_steps=1), Processes(0, 1, torch.device("cpu"))
    tokens = float(batch.target_lengths.sum())
    told = []
    for chosen in ([Weighted(1.0, Agreement())], [Weighted(1.0, CrossEntropy())]):
        learner = Learner(model, chosen, config, alone)
        learner.step([batch], tokens, 0.0, 0.0)
        means = learner.means()
        assert means is not None
        told.append(means.loss)
    assert told[0] == pytest.approx(told[1], rel=1e-6)
    assert told[0] == pytest.approx(math.log(9), rel=0.3)


@pytest.mark.learning
def test_a_run_learns_by_it_and_tells_of_it(tmp_path: Path) -> None:
    model, config = ToyModel(dropout=0.2), toy_config(max_epochs=6)
    chosen = objectives(AgreementConfig(weight=0.3))
    record = train(model, chosen, ToyBatches(), config, tmp_path, ToyScore())
    steps = [e for e in read_log(tmp_path / "training" / "log.jsonl") if e["event"] == "step"]
    for entry in steps:
        own = entry["objective/cross_entropy"] + 0.3 * entry["objective/agreement"]
        assert entry["objective"] == pytest.approx(own)
        assert entry["objective/cross_entropy"] == pytest.approx(entry["loss"])
        assert entry["objective/agreement"] > 0
    assert record.best["loss"] < 0.9 * steps[0]["loss"]
