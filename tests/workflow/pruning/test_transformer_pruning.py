"""Units of Transformers: scored as equations say, gone from matrices, missed as where masked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from architectures import (
    ARCHITECTURES,
    SYMBOLS,
    make_model,
    make_source,
    make_source_for,
    make_target,
    sentences,
)
from transduce.config import ModelConfig
from transduce.engine import fast_stepper
from transduce.interfaces import END, Batch, Source
from transduce.models.build import build_model
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import named_weights, set_weights
from transduce.modules.transformer import FeedForward, StackOptions
from transduce.workflow.pruning.prunable_units import (
    Place,
    RankedUnits,
    UnitGroup,
    every,
    with_options,
)
from transduce.workflow.pruning.transformer_units import feedforward_groups, head_groups
from transduce.workflow.pruning.unit_choice import best_units, counts_kept
from transduce.workflow.pruning.unit_removal import weights_without
from transduce.workflow.pruning.unit_scores import taylor_scores

SOURCES, TARGETS = sentences(4, 2, 6, seed=1), sentences(3, 5, 2, seed=2)
STACKS = [
    name
    for name, model in ARCHITECTURES.items()
    if model["encoder"]["kind"] in ("transformer", "mingru")
    and "learned" not in name
    and "beside" not in model  # two inputs: refused
]


def batch_for(model: Seq2Seq) -> Batch:
    target = make_target([[*row, END] for row in TARGETS])
    lengths = torch.tensor([len(row) + 1 for row in TARGETS])
    return Batch(make_source_for(model, SOURCES), target, lengths, ())


def groups_of(model: Seq2Seq, part: str) -> list[UnitGroup]:
    find = feedforward_groups if part == "feedforward" else head_groups
    return [group for side in ("encoder", "decoder") for group in find(model, side)]


def smaller(
    model: Seq2Seq, architecture: dict, groups: list[UnitGroup], stays: list[list[Tensor]]
) -> Seq2Seq:
    """Built from the config that says the widths, and checked against the weights by name."""
    config = ModelConfig.model_validate(architecture)
    kept = [len(own[0]) for own in stays]
    changed = with_options(config, groups, kept)
    changed = ModelConfig.model_validate(changed.model_dump(by_alias=True))
    size = model.source_embedding.weight.shape[0] if model.frontend is None else 6
    symbols = None if model.pointer is None else model.pointer.symbols
    made = build_model(changed, size, model.vocabulary, symbols).eval()
    weights, own = weights_without(named_weights(model), groups, stays), named_weights(made)
    set_weights(made, {name: weight for name, weight in weights.items() if name in own})
    return made


def logits(model: Seq2Seq) -> Tensor:
    with torch.inference_mode():
        return model(make_source_for(model, SOURCES), make_target(TARGETS))


def masked(model: Seq2Seq, groups: list[UnitGroup], stays: list[list[Tensor]]) -> Seq2Seq:
    """The same model, in which nothing reads the units that go."""
    weights = {name: weight.clone() for name, weight in named_weights(model).items()}
    for group, kept in zip(groups, stays, strict=True):
        for units, own in zip(group.units, kept, strict=True):
            gone = [n for n in range(units.count) if n not in own.tolist()]
            for place in units.places:
                here = [n - place.first for n in gone if n in range(*place.units.indices(999))]
                if place.reads:
                    weights[place.name].index_fill_(place.dim, place.owned[here].flatten(), 0)
    set_weights(model, weights)
    return model


@pytest.mark.parametrize("part", ["feedforward", "heads"])
@pytest.mark.parametrize("name", STACKS)
def test_removal_is_masking(name: str, part: str) -> None:
    architecture = ARCHITECTURES[name]
    model = make_model(architecture)
    groups = groups_of(model, part)
    if sum(group.count - group.step for group in groups) <= 0:
        pytest.skip("nothing can go")
    generator = torch.Generator().manual_seed(3)
    scores = [
        [torch.rand(units.count, generator=generator) for units in group.units] for group in groups
    ]
    kept = counts_kept(int(0.6 * sum(group.count for group in groups)), groups, scores)
    stays = [best_units(*each) for each in zip(groups, scores, kept, strict=True)]
    pruned = smaller(model, architecture, groups, stays)
    before = sum(weight.numel() for weight in model.parameters())
    assert sum(weight.numel() for weight in pruned.parameters()) < before
    if part == "heads" and "copy" in name:
        return  # what is copied is the mean over the heads, which is now one over those left
    torch.testing.assert_close(logits(pruned), logits(masked(model, groups, stays)))


@pytest.mark.parametrize("part", ["feedforward", "heads"])
def test_units_of_score_zero_change_nothing(part: str) -> None:
    architecture = ARCHITECTURES["transformer"]
    model = make_model(architecture)
    groups = groups_of(model, part)
    with torch.no_grad():
        for group in groups:  # nothing reads the first units of each
            (place,) = (place for place in group.units[0].places if place.reads)
            named_weights(model)[place.name].index_fill_(
                place.dim, place.owned[: group.step].flatten(), 0
            )
    before = logits(model)
    scores = taylor_scores(model, groups, [batch_for(model)])
    for group, (own,) in zip(groups, scores, strict=True):
        assert (own[: group.step] == 0).all()
        assert (own[group.step :] > 0).all()
    total = sum(group.count for group in groups)
    kept = counts_kept(total - sum(group.step for group in groups), groups, scores)
    assert kept == [group.count - group.step for group in groups]
    stays = [best_units(*each) for each in zip(groups, scores, kept, strict=True)]
    torch.testing.assert_close(logits(smaller(model, architecture, groups, stays)), before)


def test_the_engine_runs_what_is_left() -> None:
    architecture = ARCHITECTURES["transformer"]
    model = make_model(architecture)
    for part in ("heads", "feedforward"):
        groups = groups_of(model, part)
        scores = taylor_scores(model, groups, [batch_for(model)])
        kept = counts_kept(sum(group.count for group in groups) // 2, groups, scores)
        stays = [best_units(*each) for each in zip(groups, scores, kept, strict=True)]
        assert len({*kept}) > 1
        model = smaller(model, architecture, groups, stays)
        architecture = with_options(ModelConfig.model_validate(architecture), groups, kept)
        architecture = architecture.model_dump(by_alias=True)
    engine = fast_stepper(model, "float32")
    assert engine is not model
    found = engine.step(make_target(TARGETS), engine.start(make_source_for(model, SOURCES)))[0]
    torch.testing.assert_close(found, logits(model), atol=2e-5, rtol=1e-4)


class Block(nn.Module):
    """A feed-forward block between an embedding and logits."""

    def __init__(self) -> None:
        super().__init__()
        self.device = torch.device("cpu")
        self.table = nn.Parameter(torch.randn(SYMBOLS, 3))
        options = StackOptions(width=3, layers=1, feedforward=5, heads=1)
        self.feedforward = FeedForward(options, output_gain=1.0)
        self.output = nn.Parameter(torch.randn(SYMBOLS, 3))

    def enter(self, source: Source) -> tuple[Tensor, Source]:
        return self.table[source.tokens], source

    def begin(self, vectors: Tensor, source: Source) -> None:
        return None

    def embed(self, tokens: Tensor) -> Tensor:
        return self.table[tokens]

    def proceed(self, vectors: Tensor, state: None) -> tuple[Tensor, None]:
        return self.feedforward(vectors) @ self.output.T, state

    def forward(self, source: object, tokens: Tensor) -> Tensor:
        return self.proceed(self.embed(tokens), None)[0]


def test_scores_are_those_of_the_equation() -> None:
    """``Σ_b (∂L_b/∂ξ)²``, L the mean of ``-log softmax(V (W_2 (ξ ⊙ relu(W_1 x + b_1)) + b_2))``."""
    torch.manual_seed(5)
    model = Block().double()
    batches = [
        Batch(make_source([[4]]), torch.tensor([rows]), torch.tensor([len(rows) - 1]), ())
        for rows in ([2, 5, 7, 3], [2, 9, 3])
    ]
    weights = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    expected = np.zeros(5)
    for batch in batches:
        tokens, wanted = batch.target_input[0].numpy(), batch.target_output[0].numpy()
        x = weights["table"][tokens]
        inner, output = ("feedforward.inner", "feedforward.output")
        hidden = np.maximum(x @ weights[f"{inner}.weight"].T + weights[f"{inner}.bias"], 0)
        left = hidden @ weights[f"{output}.weight"].T + weights[f"{output}.bias"]
        z = left @ weights["output"].T
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        p[np.arange(len(wanted)), wanted] -= 1
        slope = p / len(wanted) @ weights["output"]  # dL / d left
        factors = np.einsum("tu,td,du->u", hidden, slope, weights[f"{output}.weight"])
        expected += factors**2 / len(batches)
    names = ("inner.weight", "inner.bias", "output.weight")
    places = tuple(
        Place(f"feedforward.{name}", int(name == names[2]), every(5), reads=name == names[2])
        for name in names
    )
    group = UnitGroup("feedforward", (RankedUnits(places),), ())
    ((found,),) = taylor_scores(model, [group], batches)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


def test_scores_are_those_of_small_steps() -> None:
    """Against the change of the loss as a unit is turned down a little, of the whole model."""
    model = make_model(ARCHITECTURES["transformer-grouped"]).double()
    batch = batch_for(model)
    for part in ("feedforward", "heads"):
        groups = groups_of(model, part)
        scores = taylor_scores(model, groups, [batch])
        for group, own in zip(groups, scores, strict=True):
            units = group.units[0]
            slope = _slope(model, batch, units, 1)
            assert float(own[0][1]) == pytest.approx(slope**2, rel=1e-3, abs=1e-14)


def _slope(model: Seq2Seq, batch: Batch, units: object, unit: int) -> float:
    """Numerically, float64: ``∂L/∂ξ`` of one unit."""
    losses = []
    for factor in (1 - 1e-5, 1 + 1e-5):
        weights = {name: weight.clone() for name, weight in named_weights(model).items()}
        own = {name: weight.clone() for name, weight in weights.items()}
        for place in units.places:  # type: ignore[attr-defined]
            if place.reads:
                entries = place.owned[unit]
                read = weights[place.name].index_select(place.dim, entries) * factor
                weights[place.name].index_copy_(place.dim, entries, read)
        set_weights(model, weights)
        with torch.no_grad():
            found = model(batch.source, batch.target_input)
        losses.append(
            float(
                nn.functional.cross_entropy(
                    found.flatten(0, 1), batch.target_output.flatten(), ignore_index=0
                )
            )
        )
        set_weights(model, own)
    return (losses[1] - losses[0]) / 2e-5
