"""The CTC loss against all ways of writing a target, and learning from it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from architectures import ARCHITECTURES, make_model, make_source_for, sentences
from small_batches import make_batch
from transduce.config import SearchConfig, TrainingConfig
from transduce.engine import fast_stepper
from transduce.engine.stacks.listening import NativeCTC
from transduce.interfaces import PADDING, Batch, Memory
from transduce.kernels.library import has_library, load_library
from transduce.models.ctc import CTCOutput
from transduce.search import decode
from transduce.training.distributed import Processes
from transduce.training.learner import Learner
from transduce.training.objectives.choose import choose_objectives
from transduce.training.objectives.ctc import ctc_loss

V = 7


def negative_log_likelihood(log_probs: np.ndarray, target: tuple[int, ...]) -> float:
    total = 0.0
    for path in itertools.product(range(V), repeat=len(log_probs)):
        merged = tuple(s for s, _ in itertools.groupby(path) if s != PADDING)
        if merged == target:
            scores = (row[symbol] for row, symbol in zip(log_probs, path, strict=True))
            total += float(np.exp(sum(scores)))
    return -float(np.log(total))


def test_loss_is_the_sum_over_all_ways_of_writing() -> None:
    generator = torch.Generator().manual_seed(1)
    log_probs = torch.randn(3, 5, V, generator=generator).log_softmax(-1)
    lengths, targets = [5, 3, 4], [(4, 5), (6,), (5, 5)]
    batch = make_batch([[4]] * 3, [list(target) for target in targets])
    found = float(ctc_loss(log_probs, torch.tensor(lengths), batch))
    expected = sum(
        negative_log_likelihood(row[:length].double().numpy(), target)
        for row, length, target in zip(log_probs, lengths, targets, strict=True)
    )
    assert found == pytest.approx(expected, abs=1e-4)


def test_what_cannot_be_written_costs_nothing() -> None:
    log_probs = torch.zeros(2, 2, V).log_softmax(-1)
    batch = make_batch([[4]] * 2, [[4, 4], [5]])  # the first needs three positions
    alone = make_batch([[4]], [[5]])
    lengths = torch.tensor([2, 2])
    assert float(ctc_loss(log_probs, lengths, batch)) == pytest.approx(
        float(ctc_loss(log_probs[1:], lengths[1:], alone))
    )
    nothing = Batch(alone.source, alone.target[:, :2], torch.tensor([0]), ())
    assert float(ctc_loss(log_probs[1:], lengths[1:], nothing)) == 0


def random_output(positions: int) -> tuple[CTCOutput, Memory]:
    torch.manual_seed(5)
    output = CTCOutput(6, V, positions)
    torch.nn.init.normal_(output.project.bias)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    return output, Memory(torch.randn(2, 3, 6), mask, None, torch.zeros(2, 1, 6))


@pytest.mark.parametrize("positions", [1, 3])
def test_each_vector_gives_positions_side_by_side(positions: int) -> None:
    output, memory = random_output(positions)
    weight = output.project.weight.detach().double().numpy().reshape(V, positions, 6)
    bias = output.project.bias.detach().double().numpy().reshape(V, positions)
    found = output(memory).detach().numpy()
    assert found.shape == (2, 3 * positions, V)
    for row, place in itertools.product(range(2), range(3)):
        vector = memory.vectors[row, place].double().numpy()
        for nth in range(positions):
            scores = weight[:, nth] @ vector + bias[:, nth]
            expected = scores - np.log(np.exp(scores).sum())
            if not memory.mask[row, place]:
                expected = np.where(np.arange(V) == PADDING, 0, -1e10)
            np.testing.assert_allclose(found[row, place * positions + nth], expected, rtol=1e-4)


@pytest.mark.parametrize("positions", [1, 3])
def test_native_numbers_are_the_same(positions: int) -> None:
    output, memory = random_output(positions)
    if not has_library():
        pytest.skip("no kernels on this machine")
    with torch.no_grad():
        found = NativeCTC(load_library(), output)(memory)
        torch.testing.assert_close(found, output(memory), atol=1e-5, rtol=1e-5)


def test_outputs_longer_than_their_sources_are_learnt_and_found() -> None:
    """Two letters for each symbol of the source; with one position each they cost nothing."""
    losses = []
    for positions in (1, 2):
        kind = {**ARCHITECTURES["linear-lstm-ctc"], "frontend": {"kind": "embedding"}}
        model = make_model({**kind, "ctc_positions": positions}).train()
        batch = make_batch([[4, 5], [5, 6]], [[5, 6, 4, 7], [4, 7, 6, 5]])
        config = TrainingConfig(
            max_steps=1, ctc_weight=0.99, label_smoothing=0.0, precision="float32", average="none"
        )
        processes = Processes(0, 1, torch.device("cpu"))
        learner = Learner(model, choose_objectives(config, model), config, processes)
        tokens = float(batch.target_lengths.sum())
        learner.step([batch], tokens, 0.0, 0.0)
        means = learner.means()
        assert means is not None
        losses.append(means.objectives["ctc"])
    assert losses[0] == 0 < losses[1]
    for _ in range(100):
        learner.step([batch], tokens, 2e-2, 0.0)
    model.eval()
    for stepper in (model, fast_stepper(model, "float32")):
        options = SearchConfig(beam=3, max_length=6, ctc_weight=0.99)
        found = [list(best.tokens) for best, *_ in decode(stepper, batch.source, options)]
        assert found == [[5, 6, 4, 7], [4, 7, 6, 5]]


def test_a_learner_learns_both_outputs_and_search_hears_them() -> None:
    model = make_model(ARCHITECTURES["linear-lstm-ctc"]).train()
    targets = sentences(3, 2, 3, 1, seed=4)
    source = make_source_for(model, targets)
    batch = make_batch(targets, targets)
    batch = Batch(source, batch.target, batch.target_lengths, (0, 1, 2, 3))
    config = TrainingConfig(
        max_steps=1, ctc_weight=0.5, label_smoothing=0.0, precision="float32", average="none"
    )
    learner = Learner(
        model, choose_objectives(config, model), config, Processes(0, 1, torch.device("cpu"))
    )
    tokens = float(batch.target_lengths.sum())
    learner.step([batch], tokens, 0.0, 0.0)
    first = learner.means()
    assert first is not None
    with torch.no_grad():
        state = model.start(batch.source)
        log_probs = model.ctc_log_probs(state)
        assert log_probs is not None
        own = float(ctc_loss(log_probs, state.mask.sum(1), batch)) / tokens
    assert first.objectives == pytest.approx({"cross_entropy": first.loss, "ctc": own}, rel=1e-4)
    assert first.objective == pytest.approx(0.5 * first.loss + 0.5 * own, rel=1e-4)
    for _ in range(150):
        learner.step([batch], tokens, 2e-2, 0.0)
    model.eval()
    for stepper in (model, fast_stepper(model, "float32")):
        for weight in (0.0, 0.5, 0.99):
            options = SearchConfig(beam=3, max_length=6, ctc_weight=weight)
            found = [list(best.tokens) for best, *_ in decode(stepper, source, options)]
            assert found == targets


def test_without_ctc_the_weight_changes_nothing() -> None:
    model = make_model(ARCHITECTURES["linear-gru"])
    chosen = choose_objectives(TrainingConfig(max_steps=1, ctc_weight=0.5), model)
    assert [(each.weight, each.objective.name) for each in chosen] == [(1.0, "cross_entropy")]
