"""Bootstrap intervals and paired significance: known cases, sacrebleu's own test, errors."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

from transduce.errors import ConfigError, DataError
from transduce.evaluation.compare import (
    Comparison,
    System,
    bootstrap_scores,
    compare_systems,
    estimate,
    significance,
)
from transduce.metrics.scores import score_texts
from transduce.metrics.statistics import SentenceStatistics, mean

SENTENCES = 300
WORDS = ["the", "a", "cat", "dog", "sat", "on", "mat", "with", "big", "red", "hat", "there"]


def corpus(seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=rng.integers(4, 12))) for _ in range(SENTENCES)]


def corrupted(texts: list[str], share: float, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [
        " ".join("oops" if rng.random() < share else word for word in text.split())
        for text in texts
    ]


TEXTS = corpus()
REFERENCES = [[text] for text in TEXTS]
POOR, GOOD = corrupted(TEXTS, 0.3, 1), corrupted(TEXTS, 0.1, 2)
ALIKE = corrupted(TEXTS, 0.3, 4)


def compared(*systems: System, resamples: int = 300, seed: int = 1) -> Comparison:
    return compare_systems(
        systems, REFERENCES, ["bleu", "wer", "exact_match"], resamples=resamples, seed=seed
    )


def test_better_same_and_equal_systems() -> None:
    result = compared(System("poor", POOR), System("good", GOOD), System("copy", POOR))
    poor, good, copy = result.rows
    assert all(found.against_first is None for found in poor.scores.values())
    for found in good.scores.values():
        assert found.against_first is not None
        assert found.against_first.p_value < 0.01
        assert found.against_first.wins == 1.0
    assert good.scores["wer"].against_first.difference < 0  # type: ignore[union-attr]
    assert good.scores["bleu"].against_first.difference > 0  # type: ignore[union-attr]
    for name, found in copy.scores.items():
        assert found.score == poor.scores[name].score
        assert found.against_first is not None
        assert (found.against_first.difference, found.against_first.p_value) == (0, 1)
        assert found.against_first.wins == 0.5


def test_systems_of_equal_quality_are_not_told_apart() -> None:
    result = compared(System("one", POOR), System("other", ALIKE))
    for found in result.rows[1].scores.values():
        assert found.against_first is not None
        assert found.against_first.p_value > 0.05


def test_scores_are_those_of_the_whole_test_set() -> None:
    result = compared(System("poor", POOR))
    expected = score_texts(POOR, REFERENCES, ["bleu", "wer", "exact_match"])
    row = result.rows[0]
    assert {name: found.score for name, found in row.scores.items()} == expected.values
    for found in row.scores.values():
        assert found.low < found.score < found.high


def test_interval_of_a_share_is_the_binomial_one() -> None:
    right = np.arange(SENTENCES) % 4 > 0  # 75 %
    hypotheses = [text if good else "" for text, good in zip(TEXTS, right, strict=True)]
    found = compared(System("x", hypotheses), resamples=2000).rows[0].scores["exact_match"]
    half = 1.96 * 100 * np.sqrt(0.75 * 0.25 / SENTENCES)
    assert found.score == 75
    assert found.low == pytest.approx(75 - half, abs=1.0)
    assert found.high == pytest.approx(75 + half, abs=1.0)


def test_p_value_of_a_mean_is_that_of_the_normal_test() -> None:
    # Two systems that differ in 30 records, 20 of them for the better: z = 10 / sqrt(30)
    first = [i >= 20 for i in range(SENTENCES)]
    other = [not 20 <= i < 30 for i in range(SENTENCES)]
    hypotheses = [
        [text if good else "" for text, good in zip(TEXTS, right, strict=True)]
        for right in (first, other)
    ]
    systems = [System(name, texts) for name, texts in zip("ab", hypotheses, strict=True)]
    found = compare_systems(systems, REFERENCES, ["exact_match"], resamples=4000)
    against = found.rows[1].scores["exact_match"].against_first
    assert against is not None
    assert against.difference == pytest.approx(100 * 10 / SENTENCES)
    assert against.p_value == pytest.approx(0.068, abs=0.025)


def test_equal_systems_differ_by_chance_in_one_of_twenty_test_sets() -> None:
    rng = np.random.default_rng(0)
    called = []
    for seed in range(200):
        sample = {}
        for name in ("first", "other"):
            values = np.ones((100, 2))
            values[:, 0] = rng.random(100) < 0.6
            sample[name] = SentenceStatistics(values, mean, mean)
        drawn = bootstrap_scores(sample, 200, seed)
        found = significance(
            sample["other"].score(),
            sample["first"].score(),
            drawn["other"],
            drawn["first"],
            lower_is_better=False,
        )
        called.append(found.p_value < 0.05)
    assert 0.02 <= np.mean(called) <= 0.09


def test_agrees_with_the_paired_bootstrap_of_sacrebleu() -> None:
    for other, significant in ((GOOD, True), (ALIKE, False)):
        named = [("first", POOR), ("other", other)]
        _, theirs = PairedTest(named, {"bleu": BLEU()}, [TEXTS], "bs", n_samples=300)()
        ours = compared(System("first", POOR), System("other", other)).rows[1].scores["bleu"]
        expected = theirs["BLEU"][1]
        assert ours.score == pytest.approx(expected.score)
        assert (ours.high - ours.low) / 2 == pytest.approx(expected.ci, rel=0.25)
        assert ours.against_first is not None
        assert (ours.against_first.p_value < 0.05) == significant
        assert (expected.p_value < 0.05) == significant


def test_resampled_scores_are_those_of_the_drawn_sentences() -> None:
    statistics = score_texts(POOR, REFERENCES, ["bleu", "ter"]).statistics
    sample = bootstrap_scores(statistics, 3, seed=5)
    drawn = np.random.default_rng(5).integers(0, SENTENCES, size=(3, SENTENCES))
    for number, places in enumerate(drawn):
        again = score_texts(
            [POOR[i] for i in places], [REFERENCES[i] for i in places], ["bleu", "ter"]
        )
        for name, value in again.values.items():
            assert sample[name][number] == pytest.approx(value)


def test_draws_do_not_depend_on_how_many_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    statistics = score_texts(POOR, REFERENCES, ["wer"]).statistics
    whole = bootstrap_scores(statistics, 50, seed=1)["wer"]
    monkeypatch.setattr("transduce.evaluation.compare._CHUNK", 7 * SENTENCES)
    assert bootstrap_scores(statistics, 50, seed=1)["wer"].tolist() == whole.tolist()


def test_seed_decides() -> None:
    first, again = compared(System("a", POOR)), compared(System("a", POOR))
    other = compared(System("a", POOR), seed=2)
    assert first == again
    assert first.rows[0].scores["bleu"].low != other.rows[0].scores["bleu"].low


def test_estimate_and_significance_of_given_samples() -> None:
    found = estimate(50.0, np.arange(101.0), confidence=0.9)
    assert (found.low, found.high) == pytest.approx((5, 95))
    against = significance(
        3.0, 1.0, np.array([1.0, 4.0, 3.0]), np.array([1.0, 1.0, 2.0]), lower_is_better=True
    )
    # differences 0, 3, 1 with mean 4/3: one of three is 2 away? none is, so p = 1/4
    assert (against.difference, against.p_value) == (2.0, 0.25)
    assert against.wins == pytest.approx(0.5 / 3)


def test_as_json() -> None:
    systems = (System("poor", POOR, 1000, 20.0, 2.0), System("good", GOOD))
    values = json.loads(json.dumps(compared(*systems).to_dict(), allow_nan=False))
    poor, good = values["systems"]
    assert (poor["parameters"], poor["words_per_second"]) == (1000, 20.0)
    assert good["sentences_per_second"] is None
    assert poor["against_first"] == {}
    low, high = good["intervals"]["wer"]
    assert low <= good["metrics"]["wer"] <= high
    assert 0 < good["against_first"]["wer"]["p_value"] < 0.05
    assert "bleu" in values["signatures"]
    assert (values["sentences"], values["resamples"], values["seed"]) == (SENTENCES, 300, 1)


def test_as_table() -> None:
    text = compared(System("poor [x]", POOR, 1_234_567, 2000.0), System("good", GOOD)).table()
    lines = text.splitlines()
    assert any("poor [x]" in line and "1,234,567" in line and "2,000" in line for line in lines)
    good = next(line for line in lines if line.split()[:1] == ["good"])
    assert good.count(" +") == 3
    assert "+ better, - worse than poor [x] with p < 0.05" in text
    backwards = compared(System("good", GOOD), System("poor", POOR)).table().splitlines()
    poor = next(line for line in backwards if line.split()[:1] == ["poor"])
    assert poor.count(" -") >= 3
    assert "better" not in compared(System("only", GOOD)).table()


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ([], {}, "systems must be at least one; got none"),
        (["a", "a"], {}, "names of systems must differ; got 'a' more than once"),
        (["a"], {"resamples": 0}, "resamples must be at least 1; got 0"),
        (["a"], {"confidence": 1.0}, "confidence must be between 0 and 1; got 1.0"),
    ],
)
def test_wrong_options(names: list[str], options: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compare_systems([System(n, POOR) for n in names], REFERENCES, ["wer"], **options)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_no_metric_of_texts() -> None:
    with pytest.raises(ConfigError, match="must name at least one of texts; got loss"):
        compare_systems([System("a", POOR)], REFERENCES, ["loss"])


def test_texts_that_do_not_fit_name_the_system() -> None:
    with pytest.raises(DataError, match=r"^short: hypotheses must be as many .*; got 1 and 300$"):
        compare_systems([System("a", POOR), System("short", ["x"])], REFERENCES, ["wer"])
