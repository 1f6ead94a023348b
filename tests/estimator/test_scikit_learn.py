"""Every check that scikit-learn has for an estimator is accounted for: passed, or a reason."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

from transduce import Transducer
from transduce.errors import ModelError

# The checks hand over tables of numbers. What they ask of habits is asked of ``Rows``.
TEXTS_ONLY = "about numbers and their tables; sources are texts, one of each sample"
REASONS = {
    "check_complex_data": TEXTS_ONLY,
    "check_estimator_sparse_array": TEXTS_ONLY,
    "check_estimator_sparse_matrix": TEXTS_ONLY,
    "check_estimator_sparse_tag": TEXTS_ONLY,
    "check_estimators_empty_data_messages": TEXTS_ONLY,
    "check_estimators_nan_inf": TEXTS_ONLY,
    "check_fit1d": TEXTS_ONLY,
    "check_fit2d_predict1d": TEXTS_ONLY,
    "check_n_features_in": TEXTS_ONLY,
    "check_n_features_in_after_fitting": TEXTS_ONLY,
    "check_fit2d_1sample": "a single pair leaves nothing for dev, and the message says so",
    "check_fit_score_takes_y": "the second argument is called targets, and given by place",
    "check_array_api_input": "scikit-learn skips it without SCIPY_ARRAY_API",
}


class Rows(Transducer):
    """Reads each row of a table as a text, so that checks made for numbers can run."""

    def fit(self, sources: Any, targets: Any, **options: Any) -> Rows:  # type: ignore[override]
        super().fit(written(sources), written(targets), **options)
        return self

    def predict(self, sources: Any, **search: Any) -> Any:
        """A number for each output, since the checks subtract."""
        outputs = super().predict(written(sources), **search)
        return np.array([float(sum(map(ord, text))) for text in outputs])

    def score(self, sources: Any, targets: Any, **search: Any) -> float:
        outputs = super().predict(written(sources), **search)
        return float(np.mean([a == b for a, b in zip(outputs, written(targets), strict=True)]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.one_d_array = True, False
        return tags


def written(rows: Any) -> Any:
    """The rows of a table of numbers as texts of letters; other things as they are."""
    if not isinstance(rows, np.ndarray):
        return rows
    numbers = np.nan_to_num(100 * rows.astype(np.float64)).round().astype(int)
    rows = numbers.reshape(len(numbers), -1)
    return [" ".join(map(str, row)) for row in rows]


def test_scikit_learns_own_checks() -> None:
    model = Rows({"encoder": {"kind": "gru", "width": 8}, "decoder": {"kind": "gru", "width": 8}})
    model.set_params(max_steps=1, dev_fraction=0.4, options={"search.max_length": 4}, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(model, on_fail=None, on_skip=None)
    assert len(results) >= 40
    unexplained = {
        result["check_name"]: str(result["exception"])
        for result in results
        if result["status"] != "passed" and result["check_name"] not in REASONS
    }
    assert unexplained == {}
    passed = {result["check_name"] for result in results if result["status"] == "passed"}
    assert not passed & REASONS.keys()


def test_is_declared_an_estimator_of_texts() -> None:
    tags = get_tags(Transducer())
    assert tags.input_tags.string
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array
    assert tags.target_tags.required


def test_predicting_before_fitting() -> None:
    for of_class in (NotFittedError, ModelError):
        with pytest.raises(of_class, match="model must be fitted or loaded first"):
            Transducer().predict(["a"])


def test_targets_are_asked_for_in_scikit_learns_words() -> None:
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        Transducer().fit(["a", "b"], None)  # type: ignore[arg-type]
