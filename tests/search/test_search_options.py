"""Each option of a search does what it says, and would be missed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from search_fakes import ConstantStepper, TableStepper, make_source

from transduce.config import SearchConfig
from transduce.errors import SearchError
from transduce.interfaces import UNKNOWN
from transduce.search import Constraints, Ensemble, Hypothesis, decode

SOURCE = (4, 5, 6)


def best(
    model: TableStepper | Ensemble, constraints: Constraints | None = None, **options: Any
) -> Hypothesis:
    options = {"max_length": 6, "beam": 3, **options}
    return decode(model, make_source([SOURCE]), SearchConfig(**options), constraints)[0][0]


def eager() -> TableStepper:
    """Ends at once where it may."""
    return TableStepper(seed=1, end=8.0)


def endless(size: int = 7) -> TableStepper:
    """Never ends by itself."""
    return TableStepper(size=size, seed=1, end=-50.0)


def holds(tokens: tuple[int, ...], phrase: tuple[int, ...]) -> bool:
    spans = range(len(tokens) - len(phrase) + 1)
    return any(tokens[start : start + len(phrase)] == phrase for start in spans)


# ---------------------------------------------------------------- length


def test_min_length_holds_back_the_end() -> None:
    assert len(best(eager(), beam=1).tokens) == 0
    assert len(best(eager(), beam=1, min_length=4).tokens) == 4


def test_min_length_ratio_is_of_the_source_tokens_without_end() -> None:
    assert len(best(eager(), min_length_ratio=1.0).tokens) == len(SOURCE)
    assert len(best(eager(), min_length_ratio=1.4).tokens) == 5  # 4.2, rounded up


def test_max_length_cuts_and_says_so() -> None:
    cut = best(endless(), max_length=4)
    assert len(cut.tokens) == len(cut.token_scores) == 4
    assert not cut.finished
    assert best(eager(), max_length=4).finished


def test_max_length_ratio_is_of_the_source_tokens_without_end() -> None:
    assert len(best(endless(), max_length_ratio=1.0).tokens) == len(SOURCE)
    assert len(best(endless(), max_length_ratio=1.5).tokens) == 4  # 4.5, rounded down


def test_ratios_make_limits_for_each_sentence_of_a_batch() -> None:
    sources = [(4,), (4,) * 3, (), (4,) * 30]
    options = SearchConfig(max_length=12, max_length_ratio=2.0, min_length_ratio=2.0)
    results = decode(endless(), make_source(sources), options)
    # An empty source still gets room for one token; the absolute limit holds for the longest.
    assert [len(hypotheses[0].tokens) for hypotheses in results] == [2, 6, 1, 12]


def test_a_ratio_is_not_rounded_past_a_whole_number() -> None:
    options = SearchConfig(min_length_ratio=0.1, max_length=50)  # 0.1 · 30 = 3.0000000000000004
    result = decode(eager(), make_source([(4,) * 30]), options)
    assert len(result[0][0].tokens) == 3


def test_finished_hypotheses_come_before_cut_ones_whatever_their_score() -> None:
    # At first END is the second best, far behind; later it never comes.
    model = TableStepper(end=-99.0, fixed={(): [-99, -99, -99, 0, 8, -3, -3]})
    options = SearchConfig(beam=2, nbest=2, max_length=3)
    finished, cut = decode(model, make_source([SOURCE]), options)[0]
    assert (finished.finished, cut.finished) == (True, False)
    assert cut.score > finished.score


@pytest.mark.parametrize(
    ("normalization", "penalty"),
    [("none", 1.0), ("average", 3.0), ("gnmt", ((5 + 3) / 6) ** 0.6)],
)
def test_length_normalization(normalization: str, penalty: float) -> None:
    hypothesis = best(
        eager(), min_length=2, max_length=2, length_normalization=normalization
    )  # two tokens and END: three scored
    assert hypothesis.finished
    assert hypothesis.score == pytest.approx(hypothesis.log_probability / penalty)


def test_length_alpha_moves_the_choice_from_short_to_long() -> None:
    # Of 0.4 and 0.6 · 0.6 the first is more, but the second has three tokens to share it.
    fork = [-99, -99, -99, math.log(0.4), math.log(0.6), -99, -99]
    stop = [-99, -99, -99, 0, -99, -99, -99]
    model = TableStepper(fixed={(): fork, (4,): fork, (4, 4): stop})
    assert best(model, length_normalization="gnmt", length_alpha=0.0).tokens == ()
    assert best(model, length_normalization="gnmt", length_alpha=2.0).tokens == (4, 4)


def test_no_length_normalization_prefers_the_likeliest() -> None:
    model = TableStepper(seed=4)
    plain = best(model, beam=300, length_normalization="none")
    average = best(model, beam=300, length_normalization="average")
    assert plain.log_probability > average.log_probability
    assert len(plain.tokens) < len(average.tokens)


# ---------------------------------------------------------------- what may be written


@pytest.mark.parametrize("sample", [False, True])
def test_padding_begin_and_unknown_are_never_written(sample: bool) -> None:
    model = ConstantStepper([9.0, 8.0, 7.0, 0.0, 0.5, 0.2])
    options = SearchConfig(sample=sample, nbest=1, max_length=20)
    results = decode(model, make_source([(4,)] * 20), options)
    tokens = {token for hypotheses in results for token in hypotheses[0].tokens}
    assert tokens <= {4, 5}


def test_a_prefix_may_hold_what_search_does_not_write() -> None:
    hypothesis = best(eager(), Constraints(prefix=(UNKNOWN, 4)))
    assert hypothesis.tokens[:2] == (UNKNOWN, 4)


def test_prefix_is_forced_and_scored() -> None:
    model = TableStepper(seed=2)
    assert best(model).tokens[:2] != (6, 5)
    hypothesis = best(model, Constraints(prefix=(6, 5)))
    assert hypothesis.tokens[:2] == (6, 5)
    expected = [model.log_probs(SOURCE, ())[6], model.log_probs(SOURCE, (6,))[5]]
    assert hypothesis.token_scores[:2] == pytest.approx(expected)


def test_prefix_may_fill_the_whole_length() -> None:
    hypothesis = best(endless(), Constraints(prefix=(4, 5)), max_length=2)
    assert hypothesis.tokens == (4, 5)
    assert not hypothesis.finished
    assert best(endless(), Constraints(prefix=(4, 5, 6, 4)), max_length_ratio=0.5).tokens == (
        4,
        5,
        6,
        4,
    )


def test_a_prefix_of_no_probability_still_gives_an_output() -> None:
    model = ConstantStepper([0, 0, 0, 1.0, -math.inf, 0])
    hypothesis = best(model, Constraints(prefix=(4,)))
    assert hypothesis.tokens[0] == 4
    assert math.isfinite(hypothesis.log_probability)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_repeat_ngram(size: int) -> None:
    def repeats(tokens: tuple[int, ...]) -> bool:
        grams = [tokens[i : i + size] for i in range(len(tokens) - size + 1)]
        return len(set(grams)) < len(grams)

    model = ConstantStepper([-9, -9, -9, -9, 3.0, 1.0, 0.5, 0.2, 0.1])
    assert repeats(best(model, max_length=8).tokens)
    for values in ({}, {"beam": 1}, {"beam": 1, "sample": True}):
        hypothesis = best(model, max_length=8, no_repeat_ngram=size, **values)
        assert not repeats(hypothesis.tokens)
        assert len(hypothesis.tokens) >= 5


def test_where_nothing_is_permitted_the_output_is_cut() -> None:
    # Three tokens, none twice, five at least: the fourth cannot be.
    for values in ({}, {"beam": 1}, {"beam": 1, "sample": True, "nbest": 2}):
        hypothesis = best(endless(), no_repeat_ngram=1, min_length=5, **values)
        assert sorted(hypothesis.tokens) == [4, 5, 6]
        assert not hypothesis.finished


@pytest.mark.parametrize("beam", [1, 4])
@pytest.mark.parametrize("sample", [False, True])
def test_forbidden_phrases_never_appear(beam: int, sample: bool) -> None:
    forbidden = ((4, 4, 4), (4, 4, 5), (6,))
    model = ConstantStepper([-9, -9, -9, -5.0, 3.0, 2.0, 1.0])
    sources = make_source([SOURCE] * 5)
    width = 1 if sample else beam
    free = SearchConfig(beam=width, sample=sample, nbest=width, max_length=12)
    written = [h.tokens for found in decode(model, sources, free) for h in found]
    assert any(holds(tokens, phrase) for tokens in written for phrase in forbidden)
    bound = decode(model, sources, free, Constraints(forbidden=forbidden))
    written = [h.tokens for found in bound for h in found]
    assert not any(holds(tokens, phrase) for tokens in written for phrase in forbidden)
    assert any(holds(tokens, (4, 4)) for tokens in written)  # the beginning alone is free


def test_a_forbidden_phrase_is_seen_across_a_prefix_and_its_own_restarts() -> None:
    # 4 4 5: after 4 4 4 the end still matches 4 4.
    model = ConstantStepper([-9, -9, -9, -5.0, 2.0, 3.0])
    hypothesis = best(model, Constraints(prefix=(4, 4, 4), forbidden=((4, 4, 5),)))
    assert hypothesis.tokens[3] == 4


# ---------------------------------------------------------------- required phrases


@pytest.mark.parametrize("beam", [1, 2, 5, 12])
@pytest.mark.parametrize(
    "required", [((6, 5, 6),), ((8,), (7, 7)), ((5, 6), (6, 7)), ((4, 4, 4), (4, 5))]
)
def test_required_phrases_appear(beam: int, required: tuple[tuple[int, ...], ...]) -> None:
    model = TableStepper(size=9, seed=7)
    sources = [(4,), (5, 6), (), (8, 8, 8)]
    options = SearchConfig(beam=beam, max_length=14)
    free = decode(model, make_source(sources), options)
    assert not all(holds(found[0].tokens, phrase) for found in free for phrase in required)
    results = decode(model, make_source(sources), options, Constraints(required=required))
    for found in results:
        assert all(holds(found[0].tokens, phrase) for phrase in required)
        assert found[0].constraints_met


def test_a_wide_beam_puts_a_required_phrase_where_it_is_likely() -> None:
    low = [-99, -99, -99, 0.0, 0.0, -4.0, -99]
    likely = [-99, -99, -99, 0.0, -4.0, 4.0, -99]  # 5 belongs after 4
    model = TableStepper(fixed={(): low, (4,): likely, (5,): low, (4, 5): low, (5, 4): low})
    assert best(model, Constraints(required=((5,),)), beam=4, max_length=2).tokens == (4, 5)


def test_required_phrases_that_do_not_fit_are_reported() -> None:
    for model in (endless(), eager()):
        hypothesis = best(model, Constraints(required=((4, 4), (5, 5), (6, 6))), max_length=5)
        assert not hypothesis.constraints_met
        assert best(model, Constraints(required=((4, 4),)), max_length=5).constraints_met


def test_required_phrases_of_no_probability_are_reported() -> None:
    model = ConstantStepper([0, 0, 0, 0.5, 0.7, -math.inf])
    hypothesis = best(model, Constraints(required=((5,),)))
    assert not hypothesis.constraints_met
    assert hypothesis.finished  # and what it has is a whole output


def test_a_required_phrase_in_the_prefix_counts() -> None:
    hypothesis = best(eager(), Constraints(prefix=(6, 6, 4), required=((6, 4),)))
    assert hypothesis.tokens == (6, 6, 4)
    assert hypothesis.constraints_met


# ---------------------------------------------------------------- n best, diversity, coverage


def test_nbest_is_ordered_and_without_repeats() -> None:
    model = TableStepper(size=9, seed=3)
    (found,) = decode(model, make_source([SOURCE]), SearchConfig(beam=8, nbest=6, max_length=8))
    assert len(found) == len({h.tokens for h in found}) == 6
    scores = [h.score for h in found]
    assert scores == sorted(scores, reverse=True)


def test_nbest_gives_what_there_is() -> None:
    model = ConstantStepper([0, 0, 0, 0.0, 0.0])
    (found,) = decode(model, make_source([SOURCE]), SearchConfig(beam=9, nbest=9, max_length=1))
    assert {h.tokens for h in found} == {(), (4,)}


def test_token_scores_sum_to_the_log_probability() -> None:
    model = TableStepper(size=9, seed=3)
    constraints = Constraints(prefix=(5,))
    options = SearchConfig(beam=4, nbest=4, max_length=8)
    for hypothesis in decode(model, make_source([SOURCE]), options, constraints)[0]:
        whole = (*hypothesis.tokens, 3) if hypothesis.finished else hypothesis.tokens
        expected = [model.log_probs(SOURCE, whole[:j])[y] for j, y in enumerate(whole)]
        assert hypothesis.token_scores == pytest.approx(expected)
        assert hypothesis.log_probability == pytest.approx(sum(expected))


def test_diverse_groups_spread() -> None:
    model = ConstantStepper([-9, -9, -9, -5.0, 3.0, 2.5, 2.2, 2.1])
    options = {"beam": 4, "nbest": 4, "max_length": 4}

    def first_tokens(**more: Any) -> set[int]:
        config = SearchConfig(**options, **more)
        (found,) = decode(model, make_source([SOURCE]), config)
        return {h.tokens[0] for h in found}

    assert len(first_tokens(diverse_groups=4, diversity=5.0)) == 4
    assert len(first_tokens(diverse_groups=4, diversity=0.0)) == 1
    assert len(first_tokens()) < 4


def test_diversity_changes_choices_but_not_scores() -> None:
    model = TableStepper(size=9, seed=3)
    options = SearchConfig(beam=4, nbest=4, diverse_groups=4, diversity=3.0, max_length=5)
    for hypothesis in decode(model, make_source([SOURCE]), options)[0]:
        whole = (*hypothesis.tokens, 3) if hypothesis.finished else hypothesis.tokens
        expected = [model.log_probs(SOURCE, whole[:j])[y] for j, y in enumerate(whole)]
        assert hypothesis.token_scores == pytest.approx(expected)


def test_the_first_group_is_the_plain_beam_of_its_width() -> None:
    model = TableStepper(size=9, seed=3)
    options = {"max_length": 6, "length_normalization": "none"}
    plain = best(model, beam=2, **options)
    (found,) = decode(
        model,
        make_source([SOURCE]),
        SearchConfig(beam=6, nbest=6, diverse_groups=3, diversity=1.0, **options),
    )
    assert plain in found


def test_coverage_penalty_prefers_outputs_that_looked_everywhere() -> None:
    model = TableStepper(seed=11)

    def seen(hypothesis: Hypothesis) -> float:
        rows = [
            model.entry((*SOURCE, 3), hypothesis.tokens[:j])[1]
            for j in range(len(hypothesis.token_scores))
        ]
        return float(np.minimum(np.sum(rows, axis=0), 1.0).sum())

    without = best(model, beam=300, max_length=4)
    covered = best(model, beam=300, max_length=4, coverage_penalty=5.0)
    assert seen(covered) > seen(without) + 0.5
    assert covered.log_probability < without.log_probability


# ---------------------------------------------------------------- sampling


def frequencies(model: TableStepper, draws: int = 4000, **options: Any) -> np.ndarray:
    config = SearchConfig(sample=True, max_length=1, min_length=1, **options)
    results = decode(model, make_source([(4,)] * draws), config)
    counts = np.zeros(model.size)
    for found in results:
        counts[found[0].tokens[0]] += 1
    return counts / draws


LOGITS = [-99, -99, -99, -99, 2.0, 1.0, 0.0, -1.0, -2.0]


def softmax(logits: list[float]) -> np.ndarray:
    weights = np.exp(np.array(logits) - max(logits))
    return weights / weights.sum()


def test_samples_follow_the_model() -> None:
    found = frequencies(ConstantStepper(LOGITS))
    # 4,000 draws: a standard deviation is at most 0.008.
    np.testing.assert_allclose(found, softmax(LOGITS), atol=0.03)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_sharpens_and_flattens(temperature: float) -> None:
    expected = softmax([logit / temperature for logit in LOGITS])
    assert np.abs(expected - softmax(LOGITS)).max() > 0.1
    found = frequencies(ConstantStepper(LOGITS), temperature=temperature)
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_temperature_near_zero_is_greedy() -> None:
    model = TableStepper(size=9, seed=5)
    cold = best(model, beam=1, sample=True, temperature=1e-3)
    assert cold.tokens == best(model, beam=1).tokens


def test_top_k_leaves_the_k_likeliest() -> None:
    expected = softmax([logit if logit >= 1.0 else -99 for logit in LOGITS])
    found = frequencies(ConstantStepper(LOGITS), top_k=2)
    assert set(found.nonzero()[0]) == {4, 5}
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_top_k_of_equals_leaves_exactly_k() -> None:
    found = frequencies(ConstantStepper([0.0] * 9), draws=500, top_k=2)
    assert set(found.nonzero()[0]) == {4, 5}


@pytest.mark.parametrize(("top_p", "kept"), [(0.5, 1), (0.64, 2), (0.9, 3), (0.96, 4), (1.0, 5)])
def test_top_p_leaves_the_smallest_set_that_reaches_p(top_p: float, kept: int) -> None:
    # Probabilities 0.637, 0.234, 0.086, 0.032, 0.012.
    found = frequencies(ConstantStepper(LOGITS), draws=3000, top_p=top_p)
    assert set(found.nonzero()[0]) == set(range(4, 4 + kept))
    expected = softmax([logit if place < 4 + kept else -99 for place, logit in enumerate(LOGITS)])
    np.testing.assert_allclose(found, expected, atol=0.035)


def test_top_p_works_on_what_top_k_left() -> None:
    # After top_k = 2 the first has 0.731: alone enough for 0.7, though not before.
    found = frequencies(ConstantStepper(LOGITS), draws=500, top_k=2, top_p=0.7)
    assert set(found.nonzero()[0]) == {4}


def test_seeds_make_the_draws() -> None:
    model = TableStepper(size=20, seed=5)
    sources = make_source([(4,), (5,), (6,)])

    def tokens(**options: Any) -> list[list[tuple[int, ...]]]:
        config = SearchConfig(sample=True, max_length=8, **options)
        return [[h.tokens for h in found] for found in decode(model, sources, config)]

    assert tokens(seed=1) == tokens(seed=1)
    assert tokens(seed=1) != tokens(seed=2)
    assert tokens(seed=-(2**63)) != tokens(seed=2**63 - 1)  # any whole number of 64 bits is one


def test_the_number_of_a_sentence_makes_its_draws() -> None:
    model = TableStepper(size=20, seed=5)
    config = SearchConfig(sample=True, max_length=8)
    same = make_source([(4, 5)] * 3)
    found = decode(model, same, config)
    assert len({hypotheses[0].tokens for hypotheses in found}) == 3
    assert decode(model, same, config, sentence_numbers=[2, 1, 0]) == found[::-1]
    alone = decode(model, make_source([(4, 5)]), config, sentence_numbers=[2])
    assert alone[0][0].tokens == found[2][0].tokens


def test_nbest_samples_are_independent_draws() -> None:
    config = SearchConfig(sample=True, nbest=3000, max_length=1, min_length=1)
    (found,) = decode(ConstantStepper(LOGITS), make_source([(4,)]), config)
    assert len(found) == 3000  # repeats stay
    counts = np.bincount([h.tokens[0] for h in found], minlength=9) / 3000
    np.testing.assert_allclose(counts, softmax(LOGITS), atol=0.035)
    scores = [h.score for h in found if h.finished]
    assert scores == sorted(scores, reverse=True)


def test_steps_of_a_sample_are_independent_draws() -> None:
    config = SearchConfig(sample=True, max_length=1000, min_length=1000)
    ((hypothesis,),) = decode(ConstantStepper(LOGITS), make_source([(4,)]), config)
    tokens = np.array(hypothesis.tokens)
    np.testing.assert_allclose(np.bincount(tokens, minlength=9) / 1000, softmax(LOGITS), atol=0.06)
    pairs = np.mean((tokens[1:] == 4) & (tokens[:-1] == 4))
    assert pairs == pytest.approx(softmax(LOGITS)[4] ** 2, abs=0.06)


def test_scores_of_samples_are_the_models_own() -> None:
    model = TableStepper(size=9, seed=3)
    hypothesis = best(model, beam=1, sample=True, temperature=3.0, top_k=4, min_length=2)
    whole = (*hypothesis.tokens, 3) if hypothesis.finished else hypothesis.tokens
    expected = [model.log_probs(SOURCE, whole[:j])[y] for j, y in enumerate(whole)]
    assert hypothesis.token_scores == pytest.approx(expected)


# ---------------------------------------------------------------- ensembles


def test_an_ensemble_averages_probabilities() -> None:
    members = [TableStepper(seed=seed, spread=3.0) for seed in (1, 2, 3)]
    (found,) = decode(
        Ensemble(members),
        make_source([SOURCE]),
        SearchConfig(beam=4, nbest=4, max_length=5, coverage_penalty=0.2),
    )
    assert len(found) == 4
    for hypothesis in found:
        whole = (*hypothesis.tokens, 3) if hypothesis.finished else hypothesis.tokens
        for j, token in enumerate(whole):
            tables = [np.exp(member.log_probs(SOURCE, whole[:j])) for member in members]
            mean = np.mean(tables, axis=0)[token]
            assert hypothesis.token_scores[j] == pytest.approx(np.log(mean))


def test_an_ensemble_of_one_is_its_member() -> None:
    model = TableStepper(size=9, seed=3)
    alone, joined = best(model), best(Ensemble([model]))
    assert alone.tokens == joined.tokens
    assert alone.score == pytest.approx(joined.score)


def test_an_ensemble_gives_log_probabilities() -> None:
    members = [TableStepper(seed=1), TableStepper(seed=2)]
    ensemble = Ensemble(members)
    with torch.no_grad():
        state = ensemble.start(make_source([SOURCE]))
        logits, _ = ensemble.step(torch.tensor([[2]]), state)
    mean = np.mean([np.exp(member.log_probs(SOURCE, ())) for member in members], axis=0)
    np.testing.assert_allclose(logits[0, 0].numpy(), np.log(mean))


def test_ensemble_errors() -> None:
    with pytest.raises(SearchError, match="at least one model; got none"):
        Ensemble([])
    with pytest.raises(SearchError, match=r"share one vocabulary; got sizes \[7, 9\]"):
        best(Ensemble([TableStepper(), TableStepper(size=9)]))
    blind = Ensemble([TableStepper(), TableStepper(attention=False)])
    with pytest.raises(SearchError, match="without attention"):
        best(blind, coverage_penalty=0.1)


def test_half_precision_logits_are_scored_in_single() -> None:
    class Half(ConstantStepper):
        def step(self, tokens: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
            logits, state = super().step(tokens, state)
            return logits.bfloat16(), state

    logits = [-9, -9, -9, 1.0, 2.0, 3.0]
    expected = best(ConstantStepper(logits)).log_probability
    assert best(Half(logits)).log_probability == pytest.approx(expected, abs=1e-5)
