"""CTC prefix scores against all ways of writing, and the joint search against all outputs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from search_fakes import TableStepper, make_source

from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.interfaces import END, PADDING
from transduce.search import Ensemble, decode
from transduce.search.rules import ctc_prefix
from transduce.search.rules.ctc_prefix import PrefixScorer

V, S = 6, 5
SYMBOLS = (4, 5)


@pytest.fixture(params=["native", "torch"], autouse=True)
def _arithmetic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test of float32 with the kernels, where there are some, and without."""
    if request.param == "torch":
        monkeypatch.setattr(ctc_prefix, "has_native_ctc", lambda log_probs: False)


def random_log_probs(sentences: int, seed: int = 0, positions: int = S) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(sentences, positions, V, generator=generator, dtype=torch.float64)
    return logits.log_softmax(-1)


def written(path: tuple[int, ...]) -> tuple[int, ...]:
    """What a way of writing says: repeats merged, then blanks taken out."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != PADDING)


def probabilities(log_probs: np.ndarray) -> dict[tuple[int, ...], float]:
    """P(text) of every text, by adding up all V^S ways of writing."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(V), repeat=len(log_probs)):
        chance = float(
            np.exp(sum(row[symbol] for row, symbol in zip(log_probs, path, strict=True)))
        )
        found[written(path)] = found.get(written(path), 0.0) + chance
    return found


def prefix_probability(texts: dict[tuple[int, ...], float], prefix: tuple[int, ...]) -> float:
    return sum(chance for text, chance in texts.items() if text[: len(prefix)] == prefix)


@pytest.mark.parametrize("prefix", [(), (4,), (4, 4), (5, 4), (4, 5, 4), (5, 5)])
def test_scores_are_ratios_of_prefix_probabilities(prefix: tuple[int, ...]) -> None:
    log_probs = random_log_probs(2, seed=3)
    scorer = PrefixScorer(log_probs)
    for token in prefix:
        scorer.advance(torch.full((2,), token))
    scores = scorer.scores().numpy()
    for sentence in range(2):
        texts = probabilities(log_probs[sentence].numpy())
        before = prefix_probability(texts, prefix)
        for token in (1, 4, 5):
            expected = np.log(prefix_probability(texts, (*prefix, token)) / before)
            assert scores[sentence, token] == pytest.approx(expected, abs=1e-6)
        assert scores[sentence, END] == pytest.approx(np.log(texts[prefix] / before), abs=1e-6)
        assert scores[sentence, PADDING] < -1e9


def test_what_takes_more_positions_than_there_are_is_never() -> None:
    scorer = PrefixScorer(random_log_probs(1, positions=2))
    for token in (4, 4):  # three positions with the blank between
        scorer.advance(torch.tensor([token]))
    assert bool(scorer.scores().isfinite().all())
    scorer = PrefixScorer(random_log_probs(1, positions=2))
    scorer.advance(torch.tensor([4]))
    assert scorer.scores()[0, 4] < -1e8
    assert scorer.scores()[0, 5] > -100


def test_padding_changes_nothing() -> None:
    log_probs = random_log_probs(1, positions=3)
    certain = torch.full((1, 2, V), -1e10, dtype=torch.float64)
    certain[..., PADDING] = 0
    padded = PrefixScorer(torch.cat([log_probs, certain], 1))
    plain = PrefixScorer(log_probs)
    for token in (4, 5):
        torch.testing.assert_close(padded.scores()[:, 3:], plain.scores()[:, 3:])
        for scorer in (padded, plain):
            scorer.advance(torch.tensor([token]))
    torch.testing.assert_close(padded.scores()[:, END], plain.scores()[:, END])


def test_rows_move_as_a_state_moves() -> None:
    log_probs = random_log_probs(3)
    scorer = PrefixScorer(log_probs)
    scorer.expand(2)
    scorer.advance(torch.tensor([4, 5, 4, 5, 5, 4]))
    scorer.reorder(torch.tensor([1, 0, 2, 2, 5, 4]))
    scorer.select(torch.tensor([0, 2]))
    found = scorer.scores()
    for row, (sentence, token) in enumerate([(0, 5), (0, 4), (2, 4), (2, 5)]):
        alone = PrefixScorer(log_probs[sentence : sentence + 1])
        alone.advance(torch.tensor([token]))
        torch.testing.assert_close(found[row], alone.scores()[0])


@pytest.mark.parametrize("symbols", [5, 8, 21, 40])
def test_native_scores_are_those_of_torch(symbols: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(symbols)
    log_probs = (4 * torch.randn(3, 17, symbols, generator=generator)).log_softmax(-1)
    log_probs[1, 9:], log_probs[1, 9:, PADDING] = -1e10, 0.0
    mine = PrefixScorer(log_probs)
    monkeypatch.setattr(ctc_prefix, "has_native_ctc", lambda log_probs: False)
    theirs = PrefixScorer(log_probs)
    for scorer in (mine, theirs):
        scorer.expand(2)
    for step in range(12):
        found, expected = mine.scores(), theirs.scores()
        begun = theirs._rows.prefix > -1e8  # what follows what cannot be means nothing
        possible = (expected > -1e8) & begun[:, None]
        torch.testing.assert_close(found[possible], expected[possible], atol=2e-4, rtol=1e-5)
        assert bool((found[begun] < -1e7).equal(expected[begun] < -1e7))
        tokens = torch.randint(4, symbols, (6,), generator=generator)
        tokens[::2] = tokens[0] if step % 3 else tokens[::2]  # runs of one symbol among them
        for scorer in (mine, theirs):
            scorer.advance(tokens)
            scorer.reorder(torch.tensor([1, 0, 2, 2, 5, 4]))


def test_neighbours_and_padding_change_no_bit() -> None:
    generator = torch.Generator().manual_seed(1)
    log_probs = torch.randn(4, 30, 23, generator=generator).log_softmax(-1)
    for row, length in enumerate((30, 7, 1, 19)):
        log_probs[row, length:], log_probs[row, length:, PADDING] = -1e10, 0.0
    if not ctc_prefix.has_native_ctc(log_probs):
        pytest.skip("PyTorch's sums hang on their neighbours in the last bits")
    together = PrefixScorer(log_probs)
    alone = [PrefixScorer(log_probs[n : n + 1, :length]) for n, length in enumerate((30, 7, 1, 19))]
    for token in (4, 9, 9, 22, 5, 4):
        for row, scorer in enumerate(alone):
            assert torch.equal(together.scores()[row], scorer.scores()[0])
            scorer.advance(torch.tensor([token]))
        together.advance(torch.full((4,), token))


class Hearing(TableStepper):
    """A table that hears as well: CTC log-probabilities for each sentence by its number."""

    def __init__(self, log_probs: torch.Tensor, **options: object) -> None:
        super().__init__(size=V, **options)
        self.log_probs = log_probs.float()

    def ctc_log_probs(self, state: object) -> torch.Tensor:
        return self.log_probs


@pytest.mark.parametrize("weight", [0.3, 0.7])
def test_joint_search_finds_what_scoring_everything_finds(weight: float) -> None:
    sources = [[4, 5], [5], [4, 4, 5]]
    log_probs = random_log_probs(3, seed=5)
    stepper = Hearing(log_probs)
    longest = 3
    options = SearchConfig(
        beam=200, nbest=3, max_length=longest, ctc_weight=weight, length_normalization="none"
    )
    found = decode(stepper, make_source(sources), options)
    for sentence, source in enumerate(sources):
        texts = probabilities(log_probs[sentence].numpy())
        scored = []
        # UNKNOWN is never written by a search, but is a symbol like others to CTC.
        for length in range(longest + 1):
            for text in itertools.product(SYMBOLS, repeat=length):
                own = sum(
                    TableStepper.log_probs(stepper, source, text[:k])[token]
                    for k, token in enumerate((*text, END))
                )
                scored.append(((1 - weight) * own + weight * np.log(texts[text]), text))
        best = sorted(scored, reverse=True)
        finished = [h for h in found[sentence] if h.finished]
        assert finished[0].tokens == best[0][1]
        assert finished[0].score == pytest.approx(best[0][0], abs=1e-4)


def test_greedy_and_beam_run_with_a_prefix() -> None:
    from transduce.search import Constraints

    stepper = Hearing(random_log_probs(1, seed=2))
    options = SearchConfig(beam=3, max_length=4, ctc_weight=0.5)
    constraints = Constraints(prefix=(5, 4))
    ((best, *_),) = decode(stepper, make_source([[4]]), options, constraints)
    assert best.tokens[:2] == (5, 4)
    greedy = replace_options(options, beam=1)
    assert decode(stepper, make_source([[4]]), greedy)[0][0].tokens


def replace_options(options: SearchConfig, **changes: object) -> SearchConfig:
    return options.model_copy(update=changes)


def test_an_ensemble_hears_the_mean() -> None:
    one, two = Hearing(random_log_probs(1, seed=1)), Hearing(random_log_probs(1, seed=2))
    both = Ensemble([one, two])
    found = both.ctc_log_probs(both.start(make_source([[4]])))
    assert found is not None
    torch.testing.assert_close(found.exp(), (one.log_probs.exp() + two.log_probs.exp()) / 2)
    assert decode(both, make_source([[4]]), SearchConfig(beam=2, max_length=3, ctc_weight=0.5))
    deaf = Ensemble([one, TableStepper(size=V)])
    assert deaf.ctc_log_probs(deaf.start(make_source([[4]]))) is None


def test_a_model_that_hears_nothing_is_refused() -> None:
    options = SearchConfig(ctc_weight=0.3)
    with pytest.raises(SearchError, match=r"ctc_weight must be 0 for a model without model.ctc"):
        decode(TableStepper(size=V), make_source([[4]]), options)
