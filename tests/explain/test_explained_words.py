"""From a trained model and a word to an explanation: at the terminal, in Python, in files."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from command_line import call
from transduce import Transducer
from transduce.errors import ConfigError, DataError
from transduce.explain.explanation import Explanation
from transduce.explain.showing.page import page


@pytest.fixture(scope="module")
def model(run):
    return Transducer.load(run.folder)


@pytest.fixture(scope="module")
def explanation(model):
    return model.explain("abc", method="saliency")


def test_what_a_model_says_is_explained(explanation):
    assert explanation.output == "cba"
    assert explanation.source == ("a", "b", "c", "end")
    assert explanation.target == explanation.rows == ("c", "b", "a", "end")
    assert explanation.prefix == ("begin", "c", "b", "a")
    assert explanation.weights.shape == explanation.prefix_weights.shape == (4, 4)
    # It reverses: what is written first hangs on the last letter, and the reverse.
    assert explanation.weights[[0, 2]].argmax(1).tolist() == [2, 0]
    # Nothing that comes later was read.
    assert not np.triu(explanation.prefix_weights, 1).any()


def test_log_probabilities_are_those_of_the_search(model, explanation):
    (outputs,) = model(["abc"], beam=1)  # perhaps in int8, by the engine
    assert explanation.log_probabilities == pytest.approx(outputs[0].token_scores, abs=5e-3)
    assert explanation.scores == explanation.log_probabilities


def test_a_target_is_explained_in_place_of_the_models_own(model):
    found = model.explain("abc", "bb", method="saliency")
    assert found.target == ("b", "b", "end")
    assert sum(found.log_probabilities) < -5


def test_the_whole_output_and_the_entropy(model, explanation):
    whole = model.explain("abc", method="saliency", quantity="output")
    assert whole.weights.shape == (1, 4)
    assert whole.scores[0] == pytest.approx(sum(explanation.log_probabilities), abs=1e-5)
    entropy = model.explain("abc", method="saliency", quantity="entropy")
    assert all(0 <= score < np.log(10) for score in entropy.scores)


def test_against_another_output(model, explanation):
    found = model.explain("abc", against="cab", method="saliency")
    assert found.rows == ("b not a",)
    other = model.explain("abc", "cab", method="saliency")
    expected = explanation.log_probabilities[1] - other.log_probabilities[1]
    assert found.scores[0] == pytest.approx(expected, abs=1e-5)
    whole = model.explain("abc", against="cab", quantity="output", method="saliency")
    difference = sum(explanation.log_probabilities) - sum(other.log_probabilities)
    assert whole.scores[0] == pytest.approx(difference, abs=1e-4)


def test_json_reads_back_equal(explanation, tmp_path):
    explanation.save(tmp_path / "e.json")
    again = Explanation.load(tmp_path / "e.json")
    assert again == explanation
    assert again != dataclasses.replace(explanation, seconds=explanation.seconds + 1)


def test_a_page_holds_all_and_asks_no_other_host(explanation):
    text = page(explanation, explanation.to_json())
    assert not re.search(r"(src|href)=\"?(https?:)?//", text)
    assert text.count('<th scope="row">') == 8
    assert f"{explanation.weights[0, 2]:.3g}" in text
    assert '"transduce": "explanation"' in text
    assert explanation._repr_html_() in text


def test_at_the_terminal(run, tmp_path, monkeypatch, capsys):
    assert call(monkeypatch, "explain", run.folder, "abc", "--method", "saliency") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("cba\n")
    assert "written before" in shown
    place = tmp_path / "e.json"
    assert call(monkeypatch, "explain", run.folder, "abc", "-o", place) == 0
    assert Explanation.load(place).given == "abc"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "salience"}, ConfigError, "method must be one of .*; got 'salience', did you"),
        ({"quantity": "loss"}, ConfigError, "quantity must be token or output or entropy; got"),
        ({"unit": "letter"}, ConfigError, "unit must be symbol or word; got 'letter'"),
        ({"target": "aßb"}, DataError, "target must hold only symbols .* can write; got 'ß' in"),
        ({"against": "é"}, DataError, "against must hold only symbols that the model can write"),
        ({"against": "cba"}, DataError, "against must be another output than the target; got"),
    ],
)
def test_what_cannot_be_is_one_line(model, options, error, message):
    with pytest.raises(error, match=message) as raised:
        model.explain("abc", **options)
    assert "\n" not in str(raised.value)


def test_an_empty_source_is_refused(model):
    with pytest.raises(DataError, match="source must hold at least one symbol; got ' '"):
        model.explain(" ")
