"""An estimator in a pickle, in copies, in forked processes and with nested parameters."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from transduce import Transducer, pipeline
from transduce.config import Config, SearchConfig
from transduce.errors import ConfigError, ModelError
from transduce.estimator.model_files import ModelFiles
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.trained import TrainedModel

GRU = {"kind": "gru", "width": 8}
WORDS = [a + b + c for a in "abc" for b in "abc" for c in "ab"]


@pytest.fixture(scope="module")
def fitted() -> Transducer:
    model = {"encoder": {"kind": "gru", "width": 8}, "decoder": {"kind": "gru", "width": 8}}
    options = {"search.max_length": 5, "training.learning_rate": 0.01}
    made = Transducer(model, max_steps=3, dev_fraction=0.4, options=options, verbose=0)
    return made.fit(WORDS, WORDS)


def test_an_unfitted_one_is_copied_with_its_arguments() -> None:
    model = Transducer("gru-tiny", max_steps=3, options={"search.max_length": 5})
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        assert other.get_params() == model.get_params()
        assert not other.__sklearn_is_fitted__()


def test_a_fitted_one_answers_the_same_after_a_pickle(fitted: Transducer) -> None:
    before = fitted(WORDS)  # now it has a fast form too, which no pickle can hold
    for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        assert other(WORDS) == before
        assert other.get_params() == fitted.get_params()
        assert other.trained_ is not fitted.trained_
        assert other.trained_.report == fitted.trained_.report
    assert copy.copy(fitted).trained_ is fitted.trained_


@pytest.mark.parametrize("kind", ["character", "whitespace", "word", "byte", "bpe", "unigram"])
def test_a_trained_model_and_a_pipeline_answer_the_same_after_a_pickle(
    kind: str, tmp_path: Path
) -> None:
    """The engine's form, kernels and predictors are made again."""
    side = {"kind": kind}
    config = Config.from_mapping(
        {
            "tokenizer": {"source": side, "target": side},
            "model": {
                "encoder": {"kind": "gru", "width": 8},
                "decoder": {"kind": "gru", "width": 8},
            },
            "search": {"max_length": 5},
        }
    )
    tokenizer = Tokenizer.train(WORDS, config.tokenizer.source)
    trained = TrainedModel.fresh(config, tokenizer, tokenizer)
    before = [best.text for best, *_ in trained.predict(WORDS, config.search)]
    for other in (pickle.loads(pickle.dumps(trained)), copy.deepcopy(trained)):
        assert [best.text for best, *_ in other.predict(WORDS, config.search)] == before
        assert other.model is not trained.model
    trained.save(tmp_path / "model")
    asked = pipeline("text2text-generation", model=str(tmp_path / "model"), max_length=5)
    assert asked(WORDS[:3]) == pickle.loads(pickle.dumps(asked))(WORDS[:3])


def test_files_of_a_pickle_stay_in_their_folder(fitted: Transducer) -> None:
    files = ModelFiles.of(fitted.trained_)
    outside = ModelFiles({**files.files, "../../outside": b""}, "cpu")
    with pytest.raises(ModelError, match=r"must lie in its folder; got '../../outside'"):
        outside.load()


def test_a_device_that_is_not_here_is_another(fitted: Transducer) -> None:
    files = ModelFiles.of(fitted.trained_)
    loaded = ModelFiles(files.files, "cuda:77").load()
    assert loaded.model.device.type in ("cpu", "cuda")


def test_options_have_nested_names(fitted: Transducer) -> None:
    assert fitted.get_params()["options__training__learning_rate"] == 0.01
    assert "options__training__learning_rate" not in fitted.get_params(deep=False)
    other = clone(fitted).set_params(options__training__learning_rate=0.5, options__search__beam=2)
    assert other.options == {
        "search.max_length": 5,
        "training.learning_rate": 0.5,
        "search.beam": 2,
    }
    assert fitted.options is not None
    assert fitted.options["training.learning_rate"] == 0.01
    with pytest.raises(ConfigError, match=r"got 'max_step', did you mean max_steps\?"):
        clone(fitted).set_params(max_step=3)
    with pytest.raises(ConfigError, match=r"training\.rate must be a known key"):
        clone(fitted).set_params(options__training__rate=3).fit(WORDS, WORDS)


def test_grid_search_over_an_option(fitted: Transducer) -> None:
    grid = {"options__training__learning_rate": [0.001, 0.1]}
    search = GridSearchCV(clone(fitted), grid, cv=2, error_score="raise").fit(WORDS, WORDS)
    rates = search.cv_results_["param_options__training__learning_rate"]
    assert set(rates) == {0.001, 0.1}
    best = search.best_params_["options__training__learning_rate"]
    assert search.best_estimator_.options["training.learning_rate"] == best


def test_signatures_name_the_options_of_the_search() -> None:
    for method in (Transducer.predict, Transducer.__call__, Transducer.score):
        shown = inspect.signature(method).parameters
        assert set(SearchConfig.model_fields) <= set(shown)
        assert shown["beam"].default == 1
        assert shown["beam"].annotation is int
        assert all(p.kind is not p.VAR_KEYWORD for p in shown.values())


FORK = """
import os, signal, torch
torch.set_num_threads(2)
from transduce import Transducer
product = torch.ones(600, 600)
assert (product @ product).sum() > 0  # OpenMP's threads are there now
if (child := os.fork()) == 0:
    signal.alarm(60)
    assert torch.get_num_threads() == 1
    assert (product @ product).sum() > 0
    os._exit(7)
assert torch.get_num_threads() == 2
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_computes_with_one_thread() -> None:
    """OpenMP's threads are not forked: a child that waits for them hangs."""
    environment = {key: of for key, of in os.environ.items() if key != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout.strip() == "7", done.stderr
