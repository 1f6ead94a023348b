"""What else a model was about to write, beside its outputs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from command_line import call, feed
from reversal_run import Run
from transduce import Transducer
from transduce.errors import ConfigError
from transduce.explain.alternatives import alternatives

Patch, Capture = pytest.MonkeyPatch, pytest.CaptureFixture[str]


def test_each_token_has_its_alternatives(run: Run, monkeypatch: Patch, capsys: Capture) -> None:
    command = "predict", run.folder, "--format", "jsonl", "engine=reference"
    feed(monkeypatch, "abc\n\n")
    options = "--alternatives", "3", "--beam", "2", "--nbest", "2"
    assert call(monkeypatch, *command, *options) == 0
    first, blank = map(json.loads, capsys.readouterr().out.splitlines())
    assert len(first["hypotheses"]) == 2
    for output in first["hypotheses"]:
        found = output["alternatives"]
        assert [token["name"] for token in found] == [*output["tokens"], "end"]
        shares = [token["probability"] for token in found]
        np.testing.assert_allclose(np.log(shares), output["token_scores"], atol=1e-4)
        for token in found:
            others = [other["probability"] for other in token["others"]]
            assert len(others) == 3
            assert others == sorted(others, reverse=True)
            assert token["probability"] + sum(others) <= 1 + 1e-6
            assert token["name"] not in [other["name"] for other in token["others"]]
            assert 0 <= token["entropy"] <= np.log(10)
    assert "alternatives" not in blank["hypotheses"][0]
    feed(monkeypatch, "abc\n")
    assert call(monkeypatch, *command) == 0
    assert "alternatives" not in capsys.readouterr().out


def test_they_are_those_that_explain_gives(run: Run) -> None:
    model = Transducer.load(run.folder)
    [[best]] = model(["abc"], alternatives=2)
    own = alternatives(model.trained_, "abc", count=2)
    for found, expected in zip(best.alternatives, own, strict=True):
        assert found.name == expected.name
        assert found.probability == pytest.approx(expected.probability, abs=1e-4)
        names = [other.name for other in found.others]
        assert names == [other.name for other in expected.others]
    with pytest.raises(ConfigError, match="alternatives must be from 0 to 100; got 101"):
        model(["abc"], alternatives=101)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--alternatives", "3"], "--alternatives must be asked for with --format jsonl; got text"),
        (
            ["--alternatives", "3", "--format", "jsonl", "--ensemble", "B"],
            "--alternatives must be asked of one model; got several (--ensemble)",
        ),
    ],
)
def test_where_there_are_none(
    options: list[str], message: str, monkeypatch: Patch, capsys: Capture
) -> None:
    assert call(monkeypatch, "predict", "A", *options) == 2
    assert message in capsys.readouterr().err
