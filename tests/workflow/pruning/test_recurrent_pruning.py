"""Hidden units of recurrent models: gone from the matrices, missed as where nothing reads them."""

from __future__ import annotations

import copy

import pytest
import torch
from test_transformer_pruning import batch_for, logits, masked, smaller

from architectures import ARCHITECTURES, make_model, make_source_for, make_target, sentences
from transduce.config import ModelConfig
from transduce.engine import fast_stepper
from transduce.errors import ConfigError
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import named_weights
from transduce.workflow.pruning.prunable_units import UnitGroup, with_options
from transduce.workflow.pruning.recurrent_units import hidden_groups, with_identities
from transduce.workflow.pruning.unit_choice import best_units, counts_kept
from transduce.workflow.pruning.unit_scores import taylor_scores

BOTH = ("encoder", "decoder")
RECURRENT = [
    name
    for name, model in ARCHITECTURES.items()
    if {model[side]["kind"] for side in BOTH} & {"rnn", "lstm", "gru"} and "beside" not in model
]
UNLIKE = ("lstm-to-transformer", "gru-narrow-memory")  # embeddings of two widths, which is refused


def readable(name: str) -> Seq2Seq:
    model = make_model(ARCHITECTURES[name])
    with_identities(model)
    return model


def half(groups: list[UnitGroup]) -> list[list[torch.Tensor]]:
    """Some units of each group, by scores that are drawn."""
    generator = torch.Generator().manual_seed(3)
    scores = [
        [torch.rand(units.count, generator=generator) for units in group.units] for group in groups
    ]
    kept = counts_kept(sum(group.count for group in groups) // 2, groups, scores)
    return [best_units(*each) for each in zip(groups, scores, kept, strict=True)]


@pytest.mark.parametrize("name", [name for name in RECURRENT if name not in UNLIKE])
def test_removal_is_masking(name: str) -> None:
    model, whole = readable(name), make_model(ARCHITECTURES[name])
    torch.testing.assert_close(logits(model), logits(whole))
    groups = hidden_groups(model, BOTH)
    stays = half(groups)
    pruned = smaller(model, ARCHITECTURES[name], groups, stays)
    assert sum(w.numel() for w in pruned.parameters()) < sum(w.numel() for w in whole.parameters())
    engine = fast_stepper(pruned, "float32")
    sources, targets = sentences(4, 2, 6, seed=1), sentences(3, 5, 2, seed=2)
    found = engine.step(make_target(targets), engine.start(make_source_for(pruned, sources)))[0]
    torch.testing.assert_close(found, logits(pruned), atol=2e-5, rtol=1e-4)
    if "cosine" in name:
        return  # the length of a state is over the units that are there
    torch.testing.assert_close(
        logits(pruned), logits(masked(copy.deepcopy(model), groups, stays)), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("name", ["lstm-additive", "gru-general", "rnn-none"])
def test_units_of_score_zero_change_nothing(name: str) -> None:
    model = readable(name)
    groups = hidden_groups(model, BOTH)
    with torch.no_grad():
        for group in groups:
            for units in group.units:  # nothing reads the first of each block
                each = units.count // units.blocks
                for place in units.places:
                    if not place.reads:
                        continue
                    first = [n for n in range(units.count) if n % each == 0]
                    here = [n - place.first for n in first if n in range(*place.units.indices(99))]
                    weight = named_weights(model)[place.name]
                    weight.index_fill_(place.dim, place.owned[here].flatten(), 0)
    before = logits(model)
    scores = taylor_scores(model, groups, [batch_for(model)])
    left = sum(group.count - max(units.blocks for units in group.units) for group in groups)
    kept = counts_kept(left, groups, scores)
    assert sum(kept) == left
    stays = [best_units(*each) for each in zip(groups, scores, kept, strict=True)]
    pruned = smaller(model, ARCHITECTURES[name], groups, stays)
    torch.testing.assert_close(logits(pruned), before)


def test_embeddings_stay_as_wide_as_they_are() -> None:
    model = readable("lstm-tied")
    groups = hidden_groups(model, BOTH)
    config = ModelConfig.model_validate(ARCHITECTURES["lstm-tied"])
    changed = with_options(config, groups, [8] * len(groups))
    assert (changed.encoder.width, changed.decoder.width, changed.embedding_width) == (8, 8, 16)


@pytest.mark.parametrize("name", ["gru-bridge-copy", "lstm-dot"])
def test_sides_that_are_tied(name: str) -> None:
    model = readable(name)
    assert len(hidden_groups(model, BOTH)) == 1
    with pytest.raises(ConfigError, match=r"--prune decoder\.hidden must be hidden, of both sides"):
        hidden_groups(model, ("decoder",))
