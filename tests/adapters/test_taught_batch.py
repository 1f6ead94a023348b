"""What is said of a target's tokens, where some are others now."""

from __future__ import annotations

import torch

from architectures import ARCHITECTURES, make_model, make_source
from transduce.adapters import EncodedSources, TaughtBatch, Teacher
from transduce.interfaces import BEGIN, END, PADDING
from transduce.training.objectives.distillation import distillation_loss


def test_a_new_token_is_certain_and_others_are_as_they_were() -> None:
    tokens = torch.tensor([[5, 6], [7, 8], [9, 5]])
    log_probs = torch.log(torch.tensor([[0.6, 0.4], [0.7, 0.3], [0.9, 0.1]]))
    found = Teacher(tokens, log_probs).chosen([1, None, 2], [7, 6])
    assert torch.equal(found.tokens[[0, 2]], tokens[[1, 2]])
    assert torch.equal(found.log_probs[[0, 2]], log_probs[[1, 2]])
    logits = torch.randn(1, 1, 12, generator=torch.Generator().manual_seed(1))
    loss = distillation_loss(
        logits, torch.tensor([[6]]), found.tokens[None, 1:2], found.log_probs[None, 1:2]
    )
    torch.testing.assert_close(loss, -torch.log_softmax(logits, -1)[0, 0, 6])


def test_a_token_that_stands_for_another_has_its_probability_besides_its_own() -> None:
    tokens = torch.tensor([[5, 6, 7], [5, 6, 7]])
    log_probs = torch.log(torch.tensor([[0.6, 0.3, 0.1]] * 2))
    found = Teacher(tokens, log_probs).chosen([0, 1], [6, 5])
    found.renamed(0, 5, 6)
    logits = torch.randn(1, 2, 12, generator=torch.Generator().manual_seed(1))
    loss = distillation_loss(
        logits, torch.tensor([[6, 5]]), found.tokens[None], found.log_probs[None]
    )
    own = torch.log_softmax(logits, -1)[0]
    first = 0.9 * own[0, 6] + 0.1 * own[0, 7]
    second = 0.6 * own[1, 5] + 0.3 * own[1, 6] + 0.1 * own[1, 7]
    torch.testing.assert_close(loss, -first - second)
    assert tokens[0, 0] == 5  # those of the model stay


def test_targets_padded_and_places_without_a_word() -> None:
    model = make_model(ARCHITECTURES["gru-general"])
    encoded = EncodedSources.of(model, make_source([[5, 6], [7]]))
    batch = TaughtBatch.of(encoded, [[5, 6], [7]], said=[[True, False, True], [False, True]])
    assert batch.inputs.tolist() == [[BEGIN, 5, 6], [BEGIN, 7, PADDING]]
    assert batch.wanted.tolist() == [[5, PADDING, END], [PADDING, END, PADDING]]
    with torch.no_grad():
        kept = model.step(batch.inputs, encoded.start(model))[0]
        anew = model.step(batch.inputs, model.start(encoded.source))[0]
    assert torch.equal(kept, anew)
