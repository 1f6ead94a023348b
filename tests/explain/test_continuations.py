"""What if: other tokens, and how an output would have gone on after each of them."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import pytest

from command_line import call
from reversal_run import Run
from transduce import Transducer
from transduce.errors import ConfigError, DataError
from transduce.explain import continuations as module
from transduce.explain.explanation import Explanation

Patch, Capture = pytest.MonkeyPatch, pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(run: Run) -> Transducer:
    return Transducer.load(run.folder)


@pytest.fixture(scope="module")
def explanation(model: Transducer) -> Explanation:
    return model.explain("abc", method="saliency", alternatives=3)


def test_each_goes_on_as_a_search_with_that_beginning(
    model: Transducer, explanation: Explanation
) -> None:
    found = explanation.continuations
    assert [other.step for other in found] == [n for n in range(4) for _ in range(3)]
    for step in range(4):
        own = [other for other in found if other.step == step]
        assert explanation.target[step] not in [other.name for other in own]
        shares = [other.log_probability for other in own]
        assert shares == sorted(shares, reverse=True)
        assert sum(map(math.exp, shares)) <= 1
    letters = [other for other in found if len(other.name) == 1][:6]
    for other in letters:
        prefix = explanation.output[: other.step] + other.name
        [[expected]] = model(["abc"], beam=1, prefix=prefix)
        if other.finished and expected.finished:
            assert other.text == expected.text
        assert other.text.startswith(prefix)
    ended = next(other for other in found if other.name == "end")
    assert ended.text == explanation.output[: ended.step]


def test_many_are_searched_in_blocks_and_no_more_than_the_most(
    model: Transducer, explanation: Explanation, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(module, "_TOGETHER", 2)
    monkeypatch.setattr(module, "_MOST", 5)
    again = model.explain("abc", method="saliency", alternatives=3)
    names = [(other.step, other.name, other.text) for other in again.continuations]
    assert names == [(o.step, o.name, o.text) for o in explanation.continuations[:5]]


def test_json_carries_them(explanation: Explanation) -> None:
    again = Explanation.from_json(explanation.to_json())
    assert again.continuations == explanation.continuations
    values = json.loads(explanation.to_json())
    for step in (-1, 4):
        broken = {**values, "continuations": [{**values["continuations"][0], "step": step}]}
        with pytest.raises(DataError, match="step must be from 0 to 3"):
            Explanation.from_json(json.dumps(broken))
    del values["continuations"]  # as files were before
    assert Explanation.from_json(json.dumps(values)).continuations == ()


def test_the_page_opens_them_without_a_script(explanation: Explanation, tmp_path: Path) -> None:
    odd = dataclasses.replace(explanation.continuations[0], name="<b>", text="<i>", finished=False)
    shown = dataclasses.replace(explanation, continuations=(odd, *explanation.continuations[1:]))
    shown.save_page(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert len(re.findall("<details><summary>", text)) == 12
    assert "&lt;i&gt; …" in text
    assert "<i>" not in text.split("<script")[0]
    dataclasses.replace(explanation, continuations=()).save_page(tmp_path / "page.html")
    assert "What if" not in (tmp_path / "page.html").read_text()


def test_at_the_terminal(run: Run, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    page = tmp_path / "page.html"
    command = "explain", run.folder, "abc", "--method", "saliency", "--output", page
    assert call(monkeypatch, *command) == 0
    assert page.read_text().count("<details><summary>") == 12
    assert call(monkeypatch, *command, "--alternatives", "0") == 0
    assert "<details>" not in page.read_text()
    capsys.readouterr()
    assert call(monkeypatch, *command, "--alternatives", "21") == 2
    assert "alternatives must be from 0 to 20; got 21" in capsys.readouterr().err


def test_a_number_that_cannot_be(model: Transducer) -> None:
    with pytest.raises(ConfigError, match="alternatives must be from 0 to 20; got -1"):
        model.explain("abc", alternatives=-1)
