"""From a trained model and a word to an explanation: at the terminal, in Python, in files."""

from __future__ import annotations

import dataclasses
import io
import json
import re

import numpy as np
import pytest
import torch
from rich.console import Console

from command_line import call
from transduce import Transducer
from transduce.errors import ConfigError, DataError
from transduce.explain.asking.units import words
from transduce.explain.explanation import Explanation
from transduce.explain.showing.lines import print_explanation
from transduce.explain.showing.page import page
from transduce.explain.showing.shades import FOR
from transduce.explain.showing.weight_picture import draw_explanation


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
    shares = explanation.weights / explanation.weights.sum(1, keepdims=True)
    assert shares[0].argmax() == 2
    assert shares[2, 0] > 1.3 * shares[0, 0]
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


def test_what_is_cut_off_has_no_weight(run):
    model = Transducer.load(run.folder)
    model.trained_.config = model.trained_.config.updated({"search.max_source_length": 3})
    found = model.explain("abcd", method="occlusion")
    assert found.source == ("a", "b", "c", "d", "end")
    assert not found.weights[:, 2:4].any()  # two symbols and the end are read
    assert found.weights[:, [0, 1, 4]].all()


def test_words_are_weighed_as_a_whole():
    units, names = words(["▁the", "▁c", "at", ".", "end"])
    assert names == ["▁the", "▁cat.", "end"]
    assert units.of.tolist() == [0, 1, 1, 1, 2]
    assert words([*"a bc", "end"])[1] == ["a ", "bc", "end"]
    summed = units.sums(torch.ones(1, 5, 2))
    assert summed.tolist() == [[2.0, 6.0, 2.0]]


def test_all_of_a_file(run, tmp_path, monkeypatch, capsys):
    sources = tmp_path / "sources.txt"
    sources.write_text("abc\n\nda\n")
    place = tmp_path / "why.jsonl"
    options = ["--all", sources, "--method", "saliency"]
    assert call(monkeypatch, "explain", run.folder, *options, "-o", place) == 0
    lines = place.read_text().splitlines()
    told = capsys.readouterr()
    assert "2 explanations written to" in told.out
    assert "not explained: 1 of 3" in told.err
    assert Explanation.from_json(lines[0]).output == "cba"
    assert "at least one symbol" in json.loads(lines[1])["error"]
    assert call(monkeypatch, "explain", run.folder, *options) == 0
    assert [json.loads(line)["given"] for line in capsys.readouterr().out.splitlines()][2] == "da"


def test_a_terminal_with_colours_has_colours(explanation):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system="truecolor", width=120)
    print_explanation(explanation, console)
    strongest = f"48;2;{FOR[0]};{FOR[1]};{FOR[2]}"
    assert stream.getvalue().count(strongest) >= 8  # one in each row of both tables
    plain = io.StringIO()
    print_explanation(explanation, Console(file=plain))
    assert "\x1b" not in plain.getvalue()
    assert f"{explanation.weights[0, 2]:.3f}" in plain.getvalue()


def test_a_picture_of_it(explanation, tmp_path):
    draw_explanation(explanation, tmp_path / "e.png")
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(DataError, match=r"e.png: picture must be a writable file"):
        draw_explanation(explanation, tmp_path / "none" / "e.png")


def test_options_of_a_method(run, monkeypatch, capsys):
    arguments = ("explain", run.folder, "ab", "--method", "smoothgrad")
    assert call(monkeypatch, *arguments, "method.samples=3", "method.noise=0.2") == 0
    assert "smoothgrad (samples 3, noise 0.2, seed 1)" in capsys.readouterr().out
    for option, message in (
        (
            "method.sample=3",
            "option of smoothgrad must be one of samples, noise, seed; got 'sample'",
        ),
        ("method.samples=3.5", "method.samples must be a whole number; got '3.5'"),
        ("method.noise=loud", "method.noise must be a number; got 'loud'"),
        ("loud", "option must be given as KEY=VALUE; got 'loud'"),
    ):
        assert call(monkeypatch, *arguments, option) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ab", "-o", "e.gif"], "--output must end in .html, .json, .png, .svg; got e.gif"),
        ([], "SOURCE must be given, or --all FILE; got neither"),
        (["--all", "x.txt", "--target", "a"], "--target and --against must be given for one"),
    ],
)
def test_what_is_asked_wrongly_at_the_terminal(run, monkeypatch, capsys, arguments, message):
    assert call(monkeypatch, "explain", run.folder, *arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-20], "explanation must be valid JSON"),
        (lambda text: "[]", "explanation must be a JSON object"),
        (
            lambda text: text.replace('"explanation"', '"other"'),
            "must be an explanation of version",
        ),
        (lambda text: text.replace('"weights": [[', '"weights": [[1, '), r"numbers \[4, 4\]"),
        (lambda text: text.replace('"kind": "text"', '"kind": "smell"'), "kind must be text or"),
        (lambda text: text.replace('"signed": false', '"signed": 0'), "signed must be a bool"),
    ],
)
def test_a_broken_file_is_refused(explanation, change, message):
    text = change(explanation.to_json())
    assert text != explanation.to_json()
    with pytest.raises(DataError, match=message):
        Explanation.from_json(text, "why.json")


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
