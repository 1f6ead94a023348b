"""Where a trained model looks, from Python and from the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.image import imread

from command_line import call
from reversal_run import Run
from transduce.errors import DataError
from transduce.workflow import attention_picture
from transduce.workflow.attention_picture import draw_attention_of
from transduce.workflow.trained import TrainedModel


def test_a_text_s_attention_is_drawn(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.png"
    assert call(monkeypatch, "show", run.folder, "--attention", "abd", "--output", path) == 0
    assert capsys.readouterr().out == f"dba\nattention drawn in {path}\n"
    assert imread(path).std() > 0.01


def test_symbols_and_weights_are_those_of_source_and_output(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple] = []
    monkeypatch.setattr(attention_picture, "draw_attention", lambda *a, **_: drawn.append(a))
    trained = TrainedModel.load(run.folder)
    assert draw_attention_of(trained, "abd", tmp_path / "a.png") == "dba"
    assert draw_attention_of(trained, "abd", tmp_path / "a.png", "db") == "db"
    (first, source, output, _), (forced, _, shorter, _) = drawn
    assert (source, output) == ([*"abd", "end"], [*"dba", "end"])
    assert shorter == [*"db", "end"]
    assert first.shape == (4, 4)
    assert forced.shape == (3, 4)
    # A model that reverses well looks at the last letter first; teacher forcing gives the same.
    assert first[0].argmax() >= 2
    assert first[:2] == pytest.approx(forced[:2], abs=1e-5)


def test_a_place_that_is_not_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "missing" / "a.png"
    assert call(monkeypatch, "show", run.folder, "--attention", "abd", "--output", path) == 2
    assert "--output must be in a folder that exists" in capsys.readouterr().err


def test_only_what_an_eye_can_tell_apart_is_drawn(run: Run, tmp_path: Path) -> None:
    trained = TrainedModel.load(run.folder)
    for source, output, said in (("ab" * 200, "b", "401 of the source and 2 of"), ("a", "ab" * 200,
                                 "2 of the source and 401 of")):  # fmt: skip
        with pytest.raises(DataError, match="drawn over at most 400 symbols a side; got " + said):
            draw_attention_of(trained, source, tmp_path / "a.png", output)
