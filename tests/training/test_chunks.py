"""Threads that learn from chunks of a batch: the same gradients, the same bits, the same errors."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from training_fakes import (
    ONLY_TARGETS,
    VOCABULARY,
    ToyBatches,
    ToyModel,
    ToyScore,
    toy_config,
    weights_of,
)

import transduce.training.chunks.cut as cutting
from architectures import ARCHITECTURES, make_model, make_source_for, make_target, sentences
from transduce.config import TrainingConfig
from transduce.interfaces import Batch
from transduce.modules.chance import drawn_from, generator
from transduce.modules.dropout import Dropout
from transduce.training.chunks.cut import cut, draws_elsewhere, goes_word_by_word
from transduce.training.chunks.ordered_sum import OrderedSum
from transduce.training.chunks.team import Team, torch_threads
from transduce.training.chunks.ways import FixedWay, MeasuredWay, Way, choose_ways
from transduce.training.distributed import Processes
from transduce.training.learner import Learner
from transduce.training.loop import train
from transduce.training.objectives.choose import choose_objectives
from transduce.training.objectives.cross_entropy import CrossEntropy
from transduce.training.objectives.weighted import Weighted
from transduce.training.regularization.adversarial import Adversarial
from transduce.training.regularization.adversarial_symbols import AdversarialSymbols, Symbols
from transduce.training.regularization.mixup import Mixup
from transduce.training.regularization.r_drop import RDrop, SecondPass
from transduce.training.regularization.simcut import SimCut
from transduce.training.regularization.virtual_adversarial import VirtualAdversarial

ALONE = Processes(0, 1, torch.device("cpu"))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "_LEAST_ROWS", 2)
    monkeypatch.setattr(cutting, "_LEAST_WORK", 0)


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    with torch_threads(2):
        yield


class OwnDropout(ToyModel):
    """A toy that draws from the thread's own generator."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.dropout = Dropout(0.3)  # type: ignore[assignment]


SYMBOLS = Symbols(torch.arange(8.0 * VOCABULARY).sin().view(VOCABULARY, 8), VOCABULARY)

# Each makes passes of its own, and most draw random numbers for them.
REGULARIZED = (
    Weighted(0.5, CrossEntropy()),
    Weighted(0.5, SecondPass(CrossEntropy())),
    Weighted(2.0, RDrop()),
    Weighted(1.0, SimCut(0.2)),
    Weighted(0.5, Adversarial(1.0)),
    Weighted(0.5, VirtualAdversarial(1.0)),
    Weighted(0.5, AdversarialSymbols(SYMBOLS, 0.3)),
    Weighted(0.5, Mixup(0.4)),
)


def learned(
    model: nn.Module, batch: Batch, way: Way, objectives: Sequence[Weighted] = ()
) -> dict[str, Tensor]:
    """Gradients of one step, without clipping."""
    config = toy_config(clip_norm=None, max_steps=1)
    plain = [Weighted(1.0, CrossEntropy())]
    objectives = objectives or (
        choose_objectives(config, model) if hasattr(model, "ctc") else plain
    )
    learner = Learner(model.train(), objectives, config, ALONE)
    learner._ways = FixedWay(way)
    learner.step([batch], float(batch.target_lengths.sum()), 0.0, 0.0)
    learner.close()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


# ---------------------------------------------------------------- right


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_chunks_have_the_gradients_of_the_batch(name: str, small_chunks: None) -> None:
    model = make_model(ARCHITECTURES[name]).train()
    rows = sentences(3, 6, 2, 5, 4)
    source = make_source_for(model, rows)
    target = make_target(rows)
    lengths = torch.tensor([len(row) + 1 for row in rows])
    batch = Batch(source, target, lengths, tuple(range(len(rows))))
    whole = learned(model, batch, Way.ALONE)
    chunks = learned(model, batch, Way.CHUNKS)
    assert whole.keys() == chunks.keys()
    for key, gradient in whole.items():
        torch.testing.assert_close(chunks[key], gradient, rtol=1e-3, atol=2e-6, msg=key)


@pytest.mark.parametrize("name", ["gru-general", "transformer", "linear-lstm-ctc"])
def test_chunks_have_the_gradients_of_passes_with_changed_embeddings(
    name: str, small_chunks: None
) -> None:
    """The change of a pair does not depend on the pairs beside it; of SimCut all tokens are cut."""
    model = make_model(ARCHITECTURES[name]).train()
    rows = sentences(3, 6, 2, 5, 4)
    lengths = torch.tensor([len(row) + 1 for row in rows])
    batch = Batch(make_source_for(model, rows), make_target(rows), lengths, tuple(range(5)))
    almost = 1 - 1e-12
    objectives = [Weighted(0.5, SimCut(almost)), Weighted(2.0, Adversarial(1.0))]
    whole = learned(model, batch, Way.ALONE, objectives)
    chunks = learned(model, batch, Way.CHUNKS, objectives)
    for key, gradient in whole.items():
        torch.testing.assert_close(chunks[key], gradient, rtol=1e-3, atol=5e-6, msg=key)


def test_a_cut_keeps_every_sentence_and_drops_padding() -> None:
    batch = next(iter(ToyBatches(pairs=70, size=70).iterate(0)))
    chunks = cut(batch, 3)
    assert [len(chunk.target) for chunk in chunks] == [23, 23, 24]
    assert sum((chunk.indices for chunk in chunks), ()) == batch.indices
    row = 0
    for chunk in chunks:
        assert chunk.source.values.shape[1] == int(chunk.source.lengths.max())
        assert chunk.target.shape[1] == int(chunk.target_lengths.max()) + 1
        for n in range(len(chunk.target)):
            source, target = chunk.source.tokens[n], chunk.target[n]
            assert torch.equal(source, batch.source.tokens[row, : len(source)])
            assert torch.equal(target, batch.target[row, : len(target)])
            row += 1
    assert cut(batch, 1) == [batch]
    assert len(cut(batch, 8)) == 4  # of 16 rows at least


# ---------------------------------------------------------------- the same bits


def test_a_sum_does_not_depend_on_who_comes_first() -> None:
    torch.manual_seed(0)
    parts = [[torch.randn(5) * 10**n, None if n else torch.ones(1)] for n in range(4)]
    found = set()
    for order in itertools.permutations(range(4)):
        total = OrderedSum()
        for number in order:
            copied = [None if part is None else part.clone() for part in parts[number]]
            total.add(number, copied)
        found.add(tuple(total.total[0].tolist()))  # type: ignore[union-attr]
        assert total.total[1].tolist() == [1.0]  # type: ignore[union-attr]
    assert len(found) == 1


class Backwards(Team):
    """One thread, the last chunk first."""

    def run(self, jobs: Any, threads: int) -> None:
        for job in reversed(jobs):
            job()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("objectives", [ONLY_TARGETS, REGULARIZED], ids=["plain", "regularized"])
def test_bits_do_not_depend_on_threads(
    precision: str, objectives: Sequence[Weighted], small_chunks: None
) -> None:
    found = []
    for team in (Team(), Team(), Backwards()):
        model, config = OwnDropout(), toy_config(precision=precision, max_steps=9, word_dropout=0.2)
        learner = Learner(model, objectives, config, ALONE)
        learner._ways, learner._team = FixedWay(Way.CHUNKS), team
        torch.manual_seed(5)
        for batch in ToyBatches().iterate(0):
            learner.step([batch, batch], 2.0 * float(batch.target_lengths.sum()), 0.01, 0.5)
        found.append([parameter.detach().clone() for parameter in model.parameters()])
        learner.close()
    for other in found[1:]:
        assert all(map(torch.equal, found[0], other))


@pytest.mark.parametrize("objectives", [ONLY_TARGETS, REGULARIZED], ids=["plain", "regularized"])
def test_resumed_is_uninterrupted(
    tmp_path: Path, objectives: Sequence[Weighted], small_chunks: None
) -> None:
    def run(folder: str, steps: int, *, resume: bool = False) -> None:
        config = toy_config(max_epochs=4, max_steps=steps, schedule="constant", evaluate_every=5)
        model = OwnDropout(seed=int(resume))
        assert choose_ways(config, model, ALONE).next() is Way.CHUNKS
        train(model, objectives, ToyBatches(), config, tmp_path / folder, ToyScore(), resume=resume)

    run("whole", 12)
    run("cut", 7)
    run("cut", 12, resume=True)
    assert weights_of(tmp_path / "whole") == weights_of(tmp_path / "cut")


def test_a_thread_draws_from_its_own_generator() -> None:
    assert generator() is None
    own = torch.Generator().manual_seed(1)
    before = torch.get_rng_state()
    with drawn_from(own):
        assert generator() is own
        first = Dropout(0.5)(torch.ones(50))
        seen: list[Any] = []
        other = threading.Thread(target=lambda: seen.append(generator()))
        other.start()
        other.join()
    assert seen == [None]
    assert generator() is None
    assert torch.equal(torch.get_rng_state(), before)
    with drawn_from(torch.Generator().manual_seed(1)):
        assert torch.equal(Dropout(0.5)(torch.ones(50)), first)


# ---------------------------------------------------------------- errors


def test_an_error_of_a_helper_is_raised_as_it_is() -> None:
    team, both, begun = Team(), threading.Barrier(2), []

    def good() -> None:
        both.wait(10)

    def bad() -> None:
        both.wait(10)
        raise LookupError("a bug")

    with pytest.raises(LookupError, match="a bug"):
        team.run([bad, good, *[lambda: begun.append(1)] * 50], 2)
    before = len(begun)
    team.run([lambda: begun.append(2)] * 3, 2)  # and the team is fit for more
    assert len(begun) == before + 3
    assert torch.get_num_threads() == 2
    team.close()


def test_ctrl_c_waits_for_jobs_under_way_and_begins_no_others() -> None:
    team, both, ended = Team(), threading.Barrier(2), []

    def interrupted() -> None:
        both.wait(10)
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        ended.append(1)

    with pytest.raises(KeyboardInterrupt):
        team.run([interrupted, interrupted], 2)
    assert ended == [1]
    team.close()


def test_shortage_of_memory_in_a_chunk_names_the_batch(small_chunks: None) -> None:
    class Huge(OwnDropout):
        def proceed(self, *inputs: Any) -> tuple[Tensor, Tensor]:
            raise MemoryError

    batch = next(iter(ToyBatches().iterate(0)))
    with pytest.raises(Exception, match=r"5 sentences with .*lower training\.batch"):
        learned(Huge(), batch, Way.CHUNKS)


# ---------------------------------------------------------------- which way


def options(**values: Any) -> TrainingConfig:
    return toy_config(**{"max_steps": 5, **values})


def test_what_promises_bits_is_cut_by_model_and_batch_alone() -> None:
    large = OwnDropout()
    large.extra = nn.Parameter(torch.zeros(1_000_000))
    assert choose_ways(options(), large, ALONE).next() is Way.CHUNKS
    assert choose_ways(options(batch_tokens=10), large, ALONE).next() is Way.TOGETHER
    assert choose_ways(options(), OwnDropout(), ALONE).next() is Way.TOGETHER
    large.dropout = nn.Dropout(0.1)
    assert draws_elsewhere(large)
    assert choose_ways(options(), large, ALONE).next() is Way.TOGETHER
    large.dropout = Dropout(0.1)  # type: ignore[assignment]
    large.input_feeding = True
    assert goes_word_by_word(large)
    assert choose_ways(options(), large, ALONE).next() is Way.TOGETHER
    several = Processes(0, 2, torch.device("cpu"))
    assert isinstance(choose_ways(options(max_minutes=1), large, several), FixedWay)
    assert isinstance(choose_ways(options(max_minutes=1), large, ALONE), MeasuredWay)
    with torch_threads(1):
        assert choose_ways(options(max_minutes=1), large, ALONE).next() is Way.TOGETHER


def test_the_fastest_way_is_kept_and_tried_anew() -> None:
    now, pace = [0.0], {Way.CHUNKS: 300.0, Way.ALONE: 100.0, Way.TOGETHER: 50.0}
    ways = MeasuredWay((Way.CHUNKS, Way.ALONE, Way.TOGETHER), clock=lambda: now[0])

    def used(seconds: float) -> dict[Way, float]:
        spent, end = dict.fromkeys(Way, 0.0), now[0] + seconds
        while now[0] < end:
            way = ways.next()
            now[0] += 50 / pace[way]
            spent[way] += 50 / pace[way]
            ways.took(50)
        return spent

    used(6)
    assert used(15)[Way.CHUNKS] > 14.9  # nobody else until the next trial
    pace[Way.CHUNKS] = 80.0  # a neighbour comes
    used(60)
    spent = used(300)
    assert spent[Way.ALONE] > 0.8 * 300
    pace[Way.CHUNKS] = 300.0  # and goes
    used(60)
    assert used(300)[Way.CHUNKS] > 0.8 * 300
