"""Adversarial symbols and mixup: their equations, what a model learns by them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from objective_oracles import BATCH, forward_of, nll, real_batch
from torch import Tensor
from training_fakes import VOCABULARY, ToyBatches, ToyModel, toy_config

from architectures import ARCHITECTURES, make_model
from transduce.config import Config
from transduce.config.recipe import require_agreement
from transduce.errors import ConfigError
from transduce.interfaces import BEGIN, END, PADDING, Batch
from transduce.modules.chance import drawn_from
from transduce.training.distributed import Processes
from transduce.training.learner import Learner
from transduce.training.objectives.choose import choose_objectives
from transduce.training.objectives.cross_entropy import CrossEntropy
from transduce.training.objectives.forward import Forward
from transduce.training.objectives.objective import Objective
from transduce.training.objectives.weighted import Weighted
from transduce.training.regularization.adversarial_symbols import (
    AdversarialSymbols,
    Symbols,
    harmful_symbols,
    nearest_symbols,
)
from transduce.training.regularization.mixup import Mixup, mixed

ALONE = Processes(0, 1, torch.device("cpu"))


# ---------------------------------------------------------------- adversarial symbols


def test_a_symbol_becomes_the_near_one_that_the_gradient_points_to() -> None:
    random = np.random.default_rng(3)
    weight, first_tag = random.normal(size=(40, 6)), 36
    tokens, rise = random.integers(END + 1, first_tag, 25), random.normal(size=(25, 6))

    def cosine(left: np.ndarray, right: np.ndarray) -> float:
        return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))

    expected = []
    for token, slope in zip(tokens, rise, strict=True):
        others = [v for v in range(END + 1, first_tag) if v != token]
        near = sorted(others, key=lambda v: -cosine(weight[v], weight[token]))[:10]
        expected.append(max(near, key=lambda v: cosine(weight[v] - weight[token], slope)))
    symbols = Symbols(torch.from_numpy(weight), first_tag)
    found = harmful_symbols(torch.from_numpy(tokens), torch.from_numpy(rise), symbols)
    assert found.tolist() == expected


def test_symbols_have_fewer_neighbours_in_small_vocabularies() -> None:
    weight = torch.randn(8, 3)
    tokens = torch.tensor([4, 6])
    near = nearest_symbols(tokens, Symbols(weight, 7))
    assert [sorted(row) for row in near.tolist()] == [[5, 6], [4, 5]]
    alone = harmful_symbols(torch.tensor([4]), torch.randn(1, 3), Symbols(weight, 5))
    assert alone.tolist() == [4]


def symbols_of(model: ToyModel, first_tag: int = VOCABULARY) -> Symbols:
    return Symbols(model.embedding.weight, first_tag)


def test_the_loss_is_that_of_the_changed_source() -> None:
    """The gradient by central differences; every token replaced but specials and tags."""
    model, h, first_tag = ToyModel(width=4).double(), 1e-6, VOCABULARY - 2
    forward = forward_of(model)
    vectors, targets = forward.source_vectors.detach(), BATCH.target_output
    slope = np.zeros(vectors.shape)
    for place in np.ndindex(*slope.shape):
        moved = []
        for step in (h, -h):
            changed = vectors.clone()
            changed[place] += step
            moved.append(nll(forward.reading(changed, forward.target_vectors), targets, 0.1))
        slope[place] = (moved[0] - moved[1]) / (2 * h)
    tokens = BATCH.source.tokens
    plain = (tokens > END) & (tokens < first_tag)
    changed = tokens.clone()
    symbols = symbols_of(model, first_tag)
    changed[plain] = harmful_symbols(tokens[plain], torch.from_numpy(slope)[plain], symbols)
    assert (changed != tokens).equal(plain)
    assert (tokens >= first_tag).any()
    source = type(BATCH.source)(changed, BATCH.source.lengths)
    expected = nll(model(source, BATCH.target_input), targets, 0.1)
    found = AdversarialSymbols(symbols, 1.0, 0.1)(forward).item()
    assert found == pytest.approx(expected, rel=1e-9)


def test_so_large_a_share_of_tokens_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ToyModel()
    batch = next(iter(ToyBatches(pairs=2000, size=2000).iterate(0)))
    seen: list[Tensor] = []
    monkeypatch.setattr(Forward, "of_source", lambda own, source: seen.append(source.values) or own)
    torch.manual_seed(0)
    AdversarialSymbols(symbols_of(model), 0.25)(forward_of(model, batch))
    plain = batch.source.tokens > END
    replaced = seen[0] != batch.source.tokens
    assert not (replaced & ~plain).any()
    share = float(replaced.sum() / plain.sum())
    assert abs(share - 0.25) < 0.02  # of about 6,000 tokens: 3.6 standard deviations


# ---------------------------------------------------------------- mixup


def test_mixup_is_the_loss_of_both_targets_at_mixed_embeddings() -> None:
    model, targets = ToyModel().double(), BATCH.target_output
    forward = forward_of(model)
    mixup = Mixup(0.7, 0.1)
    with drawn_from(torch.Generator().manual_seed(4)):
        found = mixup(forward).item()
    with drawn_from(torch.Generator().manual_seed(4)):
        share, turn = mixup._drawn(len(targets))
    rows = len(targets)
    embeddings = model.embedding.weight.detach().numpy()
    lengths, expected = BATCH.source.lengths.tolist(), 0.0
    for b in range(rows):
        other = (b - turn) % rows
        length = max(lengths[b], lengths[other])
        source = np.zeros((length, embeddings.shape[1]))
        target = np.zeros((BATCH.target_input.shape[1], embeddings.shape[1]))
        for row, part in ((b, share), (other, 1 - share)):
            for place in range(lengths[row]):
                source[place] += part * embeddings[BATCH.source.tokens[row, place]]
            for place in range(int(BATCH.target_lengths[row])):
                target[place] += part * embeddings[BATCH.target_input[row, place]]
        state = torch.from_numpy(source.sum(0) / length)[None, None]
        logits, _ = model.proceed(torch.from_numpy(target)[None], state)
        expected += share * nll(logits, targets[b : b + 1], 0.1)
        expected += (1 - share) * nll(logits, targets[other : other + 1], 0.1)
    assert found == pytest.approx(expected, rel=1e-9)


def test_vectors_are_mixed_with_those_of_another_row() -> None:
    vectors = torch.tensor([[[1.0], [2.0]], [[10.0], [20.0]], [[100.0], [200.0]]])
    mask = torch.tensor([[True, True], [True, False], [True, True]])
    found = mixed(vectors, mask, 0.75, 1)
    assert found[..., 0].tolist() == [[25.75, 51.5], [7.75, 0.5], [77.5, 150.0]]


def test_every_share_and_every_other_row_are_drawn() -> None:
    torch.manual_seed(0)
    drawn = [Mixup(0.5)._drawn(4) for _ in range(2000)]
    assert {turn for _, turn in drawn} == {1, 2, 3}
    shares = np.array([share for share, _ in drawn])
    assert abs(shares.mean() - 0.5) < 0.04  # its standard deviation is 0.35: 5 of the mean's
    assert abs(shares.var() - 1 / 8) < 0.015  # 1 / (4 (2 α + 1))
    assert Mixup(0.5)._drawn(1)[1] == 1


# ---------------------------------------------------------------- every architecture


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_learns_by_them(name: str) -> None:
    model = make_model(ARCHITECTURES[name]).train()
    forward = forward_of(model, real_batch(model))
    objectives: list[Objective] = [] if model.pointer is not None else [Mixup(1.0)]
    if model.frontend is None:
        weight = model.source_embedding.weight
        objectives.append(AdversarialSymbols(Symbols(weight, len(weight)), 0.5))
    torch.manual_seed(1)
    parameters = [p for p in model.parameters() if p.requires_grad]
    for objective in objectives:
        value = objective(forward)
        assert value > 0
        gradients = torch.autograd.grad(value, parameters, allow_unused=True)
        assert any(own is not None and own.any() for own in gradients)
        assert all(torch.isfinite(own).all() for own in gradients if own is not None)


def test_sources_of_embeddings_that_do_not_learn_are_changed_all_the_same() -> None:
    model = make_model(ARCHITECTURES["transformer"]).train()
    batch, weight = real_batch(model), model.source_embedding.weight
    objective = AdversarialSymbols(Symbols(weight, len(weight)), 1.0)
    expected = objective(forward_of(model, batch)).item()
    weight.requires_grad_(False)
    assert objective(forward_of(model, batch)).item() == pytest.approx(expected, rel=1e-5)


def test_a_sentence_without_a_target_costs_nothing() -> None:
    model = ToyModel()
    empty = Batch(BATCH.source, torch.tensor([[BEGIN, PADDING]] * 5), torch.zeros(5).long(), ())
    for objective in (Mixup(1.0), AdversarialSymbols(symbols_of(model), 1.0)):
        assert objective(forward_of(model, empty)) == 0


# ---------------------------------------------------------------- learning by them


def measured(model: ToyModel, objective: Objective) -> float:
    torch.manual_seed(9)
    batch = next(iter(ToyBatches(pairs=200, size=200, seed=7).iterate(0)))
    return objective(forward_of(model, batch)).item()


def learn(model: ToyModel, *objectives: Weighted) -> None:
    learner = Learner(model.train(), objectives, toy_config(max_steps=1), ALONE)
    torch.manual_seed(5)
    for epoch in range(12):
        for batch in ToyBatches().iterate(epoch):
            learner.step([batch], float(batch.target_lengths.sum()), 0.01, 0.0)


def test_mixed_pairs_alone_teach_the_plain_ones() -> None:
    model = ToyModel()
    before = measured(model, CrossEntropy())
    learn(model, Weighted(1.0, Mixup(0.5)))
    assert measured(model, CrossEntropy()) < 0.75 * before


def test_a_model_withstands_better_what_it_was_trained_against() -> None:
    losses = []
    for weight in (0.0, 3.0):
        model = ToyModel()
        objective = AdversarialSymbols(symbols_of(model), 0.5)
        learn(model, Weighted(1.0, CrossEntropy()), Weighted(weight, objective))
        losses.append(measured(model, objective))
    assert losses[1] < 0.9 * losses[0]


# ---------------------------------------------------------------- chosen by a recipe


def test_recipes_choose_them() -> None:
    model = make_model(ARCHITECTURES["gru-general"])
    config = toy_config(max_steps=1, adversarial_symbols_weight=0.5, mixup_weight=2.0)
    chosen = choose_objectives(config, model, first_tag=7)
    weights = {each.objective.name: each.weight for each in chosen}
    assert weights == {"cross_entropy": 1.0, "mixup": 2.0, "adversarial_symbols": 0.5}


def test_mixup_of_a_model_that_copies_is_refused() -> None:
    model = make_model(next(each for each in ARCHITECTURES.values() if each.get("copy")))
    with pytest.raises(
        ConfigError, match=r"mixup_weight must be 0 where the model copies.*; got 2"
    ):
        choose_objectives(toy_config(max_steps=1, mixup_weight=2.0), model)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"mixup_alpha": 1.0}, r"mixup_alpha must be left out without training\.mixup_weight"),
        (
            {"adversarial_symbols_share": 0.5},
            r"symbols_share must be left out without training\.adversarial_symbols_weight; got 0.5",
        ),
        (
            {"adversarial_symbols_weight": 1.0, "adversarial_symbols_share": 0.0},
            r"adversarial_symbols_share must be .*0",
        ),
        ({"mixup_weight": 1.0, "mixup_alpha": 0.0}, r"mixup_alpha must be .*0"),
    ],
)
def test_options_without_effect_or_sense_are_refused(given: dict[str, float], wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted):
        require_agreement(Config.from_mapping({"training": given}))


def test_symbols_of_pictures_are_refused() -> None:
    config = Config.from_mapping(
        {
            "data": {"input": {"kind": "image"}},
            "model": {"frontend": {"kind": "patches"}},
            "training": {"adversarial_symbols_weight": 1.0},
        }
    )
    with pytest.raises(ConfigError, match=r"adversarial_symbols_weight must be 0 where data.input"):
        require_agreement(config)
