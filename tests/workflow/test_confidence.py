"""How sure a trained model says it is: fitted, kept, asked, and free where nobody asks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reversal_run import Run
from small_runs import tiny, train_tiny, words, write_reversals
from transduce.confidence.record import CONFIDENCE
from transduce.errors import DataError, ModelError
from transduce.interfaces import END
from transduce.reading.pair_files import Example
from transduce.workflow.confidence.confidence_fitting import fit_confidence_on
from transduce.workflow.confidence.confidence_scores import confident_details, measure_confidence
from transduce.workflow.confidence.correctness import fitting_kind, qualities, right_words
from transduce.workflow.evaluate import evaluate
from transduce.workflow.predicting.details import Details, SeenSource
from transduce.workflow.trained import TrainedModel

TEXTS = words(3, 120)
# The model reverses; half of these want something else, which it cannot know.
EXAMPLES = [Example(text, (text[::-1] if n % 2 else text + "d",)) for n, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def sure(run: Run) -> TrainedModel:
    trained = TrainedModel.load(run.folder)
    trained.config = trained.config.updated({"search.beam": 3})
    trained.confidence = fit_confidence_on(trained, {"": EXAMPLES}, 1000)
    return trained


def test_a_probability_that_is_true_on_average(sure: TrainedModel) -> None:
    evaluation = evaluate(sure, EXAMPLES, details=confident_details(sure))
    report = measure_confidence(sure, [("", evaluation)])
    assert (report.kind, report.count) == ("right", len(EXAMPLES))
    assert report.mean == pytest.approx(report.mean_quality, abs=0.02)
    assert report.words == report.count  # a text without spaces is one word
    kept = json.loads(json.dumps(report.to_dict()))
    assert kept["risk_at_coverage"][-1] == pytest.approx([1.0, 1 - report.mean_quality])
    assert "calibration error" in report.table()


def test_the_best_is_that_of_a_search_that_nobody_watches(sure: TrainedModel) -> None:
    options = sure.config.search.model_copy(update={"nbest": 2})
    plain = list(sure.predict(TEXTS, options))
    asked = list(sure.predict(TEXTS, options, details=confident_details(sure)))
    for before, after in zip(plain, asked, strict=True):
        assert (before[0].text, len(before)) == (after[0].text, len(after))
        assert before[0].confidence is None
        assert after[0].confidence is not None
        assert 0 < after[0].confidence < 1
        assert all(output.confidence is None for output in after[1:])
        assert [word.text for word in after[0].word_confidence] == after[0].text.split()


def test_what_is_less_sure_is_withheld(sure: TrainedModel) -> None:
    options, sources = sure.config.search, ["", *TEXTS]
    found = [own[0] for own in sure.predict(sources, options, details=confident_details(sure))]
    assert found[0].confidence == 1  # nothing comes of nothing, for sure
    least = float(np.median([output.confidence for output in found]))
    asked = sure.predict(sources, options, details=confident_details(sure, least))
    for before, (after, *_) in zip(found, asked, strict=True):
        held = (before.confidence or 0) < least
        assert (after.withheld, after.text) == (held, "" if held else before.text)
        assert after.confidence == before.confidence


def test_a_model_that_never_fitted_one(run: Run) -> None:
    with pytest.raises(ModelError, match="`transduce calibrate MODEL` fits it on the recipe's dev"):
        confident_details(TrainedModel.load(run.folder))


def test_few_answers_are_too_few(sure: TrainedModel) -> None:
    with pytest.raises(DataError, match="fitted on 50 answered examples at least; got 7"):
        fit_confidence_on(sure, {"": [*EXAMPLES[:7], Example(" ", ("a",))]}, 1000)


def test_kept_with_the_model(sure: TrainedModel, tmp_path: Path) -> None:
    sure.save(tmp_path / "model")
    again = TrainedModel.load(tmp_path / "model")
    details = [confident_details(one) for one in (sure, again)]
    both = [
        [own[0].confidence for own in one.predict(TEXTS[:9], one.config.search, details=detail)]
        for one, detail in zip((sure, again), details, strict=True)
    ]
    assert both[0] == pytest.approx(both[1], abs=1e-6)
    assert CONFIDENCE in (tmp_path / "model" / "SHA256SUMS").read_text()
    again.confidence = None
    again.save(tmp_path / "model")
    assert not (tmp_path / "model" / CONFIDENCE).exists()


def test_a_damaged_file_is_refused(sure: TrainedModel, tmp_path: Path) -> None:
    sure.save(tmp_path / "model")
    path = tmp_path / "model" / CONFIDENCE
    path.write_text(path.read_text().replace('"examples": ', '"examples": 1'))
    with pytest.raises(ModelError, match=r"confidence\.json must be the file that was saved"):
        TrainedModel.load(tmp_path / "model")


def test_segments_together(sure: TrainedModel) -> None:
    first, second = (own[0] for own in sure.predict(TEXTS[:2], sure.config.search))
    segments = [[replace(first, confidence=0.5)], [replace(second, confidence=0.8)]]
    details = Details(confidence=sure.confidence)
    assert details.whole(segments)[0].confidence == pytest.approx(0.4)
    assert sure.confidence is not None
    chrf = Details(confidence=replace(sure.confidence, kind="chrf"))
    assert chrf.whole(segments)[0].confidence == pytest.approx(0.65)


def test_who_looks_is_told(sure: TrainedModel) -> None:
    seen: list[SeenSource] = []
    list(sure.predict(["abc"], sure.config.search, details=Details(note=seen.append)))
    assert (seen[0].length, seen[0].skipped, len(seen[0].found)) == (4, 0, 3)
    assert seen[0].words == [0] * len(seen[0].found[0].tokens)
    assert END not in seen[0].found[0].tokens


@pytest.mark.learning
def test_training_fits_one_where_there_is_dev_data(tmp_path: Path) -> None:
    data = {"train": write_reversals(tmp_path / "train.tsv", words(1, 80))}
    data["dev"] = write_reversals(tmp_path / "dev.tsv", words(2, 60))
    trained, _ = train_tiny(tiny(data), tmp_path / "run")
    assert trained.confidence is not None
    assert trained.confidence.examples >= 50
    assert TrainedModel.load(tmp_path / "run").confidence is not None
    other, _ = train_tiny(tiny(data, 1, evaluation={"confidence": 0}), tmp_path / "other")
    assert other.confidence is None


@pytest.mark.learning
def test_what_was_learnt_says_nothing_of_how_sure_it_is(tmp_path: Path) -> None:
    learnt, others = words(1, 80), words(2, 120)
    data = {"train": write_reversals(tmp_path / "train.tsv", learnt)}
    data["dev"] = write_reversals(tmp_path / "dev.tsv", [*learnt, *others])
    trained, _ = train_tiny(tiny(data), tmp_path / "run")
    assert trained.confidence is not None
    assert trained.confidence.examples == len(set(others) - set(learnt))
    few = {**data, "dev": write_reversals(tmp_path / "few.tsv", [*learnt, *others[:5]])}
    trained, _ = train_tiny(tiny(few), tmp_path / "few")
    assert trained.confidence is not None  # of all, as the others are too few
    assert trained.confidence.examples > 50


# ------------------------------------------------ what is right


def test_what_a_confidence_is_about(sure: TrainedModel) -> None:
    examples = [Example("", ("ab cd",)), Example("", ("xy", "ab"))]
    texts = ["ab cd ", "zz"]
    assert qualities(sure.config, "right", examples, texts).tolist() == [1, 0]
    chrf = qualities(sure.config, "chrf", examples, texts)
    assert chrf[0] == pytest.approx(1)
    assert fitting_kind(sure.config, examples, texts) == "right"
    assert fitting_kind(sure.config, examples, ["ab", "y"]) == "chrf"


def test_which_words_are_right(sure: TrainedModel) -> None:
    example = Example("", ("nothing at all", "the big old house"))
    assert right_words(sure.config, example, "the old house there") == [True, True, True, False]
    assert right_words(sure.config, example, "") == []
