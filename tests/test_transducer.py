"""The Python face: scikit-learn's habits, prediction, errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from reversal_run import Run
from transduce import Transducer
from transduce.errors import ConfigError, DataError, ModelError, SearchError

SOURCES = ["ab", "abc", "ca", "bca", "b", "cc"] * 6
TARGETS = [text[::-1] for text in SOURCES]
TINY = {
    "encoder": {"kind": "gru", "width": 16},
    "decoder": {"kind": "gru", "width": 16},
}


def test_predicts_what_it_learned(run: Run) -> None:
    model = Transducer.load(run.folder)
    assert model.predict(["abc", "dcb", "", "a"]) == ["cba", "bcd", "", "a"]
    assert model.score(["abc", "ab"], ["cba", ["x", "ba"]]) == 1.0
    assert model.score(["abc", "ab"], ["cba", "ab"]) == 0.5


def test_hypotheses_have_scores(run: Run) -> None:
    [found] = Transducer.load(run.folder)(["abc"], beam=4, nbest=3)
    assert len(found) == 3
    assert found[0].text == "cba"
    assert found[0].tokens == ("c", "b", "a")
    assert len(found[0].token_scores) == 4
    assert sum(found[0].token_scores) == pytest.approx(found[0].log_probability, abs=1e-4)
    assert found[0].score >= found[1].score >= found[2].score


def test_a_loaded_model_fitted_anew_cuts_as_before(tmp_path: Path) -> None:
    """It once cut into characters, whatever it had learnt by."""
    model = Transducer(TINY, source="whitespace", target="whitespace", max_steps=1)
    sources = [" ".join(f"{number:03}") for number in range(60)]
    model.fit(sources, sources).save(tmp_path / "model")
    again = Transducer.load(tmp_path / "model").fit(sources, sources)
    assert again.trained_.config.tokenizer == model.trained_.config.tokenizer


def test_save_and_load_predict_the_same(run: Run, tmp_path: Path) -> None:
    model = Transducer.load(run.folder)
    model.save(tmp_path / "copy")
    again = Transducer.load(tmp_path / "copy")
    sources = ["abcd", "dd", "cab"]
    assert again(sources, beam=3, nbest=3) == model(sources, beam=3, nbest=3)


def test_parameters_follow_scikit_learn() -> None:
    model = Transducer("gru", max_steps=7, options={"training.learning_rate": 0.5})
    copy = clone(model)
    assert copy is not model
    assert copy.get_params() == model.get_params()
    assert copy.set_params(max_steps=9).max_steps == 9
    assert model.max_steps == 7
    with pytest.raises(ConfigError, match=r"parameter must be one of .*max_steps.*; got 'steps'"):
        model.set_params(steps=3)


def test_grid_search_in_a_pipeline() -> None:
    pipeline = Pipeline(
        [
            ("lower", FunctionTransformer(lambda texts: [text.lower() for text in texts])),
            ("model", Transducer(TINY, max_steps=2, dev_fraction=0.3)),
        ]
    )
    search = GridSearchCV(pipeline, {"model__max_steps": [1, 2]}, cv=2, error_score="raise")
    search.fit(SOURCES, TARGETS)
    assert search.best_params_["model__max_steps"] in (1, 2)
    assert len(search.predict(["AB", "C"])) == 2
    assert 0.0 <= search.best_score_ <= 1.0


def test_same_seed_same_model() -> None:
    def fitted(seed: int) -> list[float]:
        model = Transducer(TINY, max_steps=5, dev_fraction=0.3, seed=seed).fit(SOURCES, TARGETS)
        return [hypotheses[0].score for hypotheses in model(["abc", "ca"])]

    assert fitted(1) == fitted(1)
    assert fitted(1) != fitted(2)


def test_errors_say_what_is_wrong(run: Run) -> None:
    model = Transducer.load(run.folder)
    with pytest.raises(DataError, match="sources must be a list of texts; got one text"):
        model.predict("abc")
    with pytest.raises(DataError, match=r"sources must be texts; got int \(number 2\)"):
        model.predict(["a", 3])  # type: ignore[list-item]
    with pytest.raises(DataError, match=r"targets must be as many as sources \(2\); got 1"):
        Transducer().fit(["a", "b"], ["c"])
    with pytest.raises(DataError, match=r"training pairs, line 2: .* must not be empty"):
        Transducer().fit(["a", ""], ["c", "d"])
    with pytest.raises(ConfigError, match=r"search\.beams must be a known key; did you mean beam"):
        model.predict(["a"], beams=3)
    with pytest.raises(ModelError, match="must be fitted or loaded first"):
        Transducer().predict(["a"])
    with pytest.raises(ModelError, match=r"model must be a directory with config\.yaml"):
        Transducer.load("nowhere")
    with pytest.raises(SearchError):
        model.predict(["abc"], prefix="abcdabcdabcd")
