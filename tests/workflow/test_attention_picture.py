"""Where a trained model looks, from Python and from the terminal."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from command_line import call
from reversal_run import Run
from transduce.errors import DataError
from transduce.transducer import Transducer
from transduce.workflow.attention_picture import attention_of, draw_attention_of
from transduce.workflow.trained import TrainedModel


def test_a_text_s_attention_is_drawn(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.png"
    assert call(monkeypatch, "show", run.folder, "--attention", "abd", "--output", path) == 0
    assert capsys.readouterr().out == f"dba\nattention drawn in {path}\n"
    assert imread(path).std() > 0.01


def test_symbols_and_weights_are_those_of_source_and_output(run: Run, tmp_path: Path) -> None:
    trained = TrainedModel.load(run.folder)
    assert draw_attention_of(trained, "abd", tmp_path / "a.png", "db") == "db"
    first, forced = attention_of(trained, "abd"), attention_of(trained, "abd", "db")
    assert (first.text, forced.text) == ("dba", "db")
    assert (first.source, first.output) == ((*"abd", "end"), (*"dba", "end"))
    assert forced.output == (*"db", "end")
    assert first.weights.shape == (4, 4)
    assert forced.weights.shape == (3, 4)
    # A model that reverses well looks at the last letter first; teacher forcing gives the same.
    assert first.weights[0].argmax() >= 2
    assert first.weights[:2] == pytest.approx(forced.weights[:2], abs=1e-5)


def test_attention_is_an_array_and_a_figure_from_python(run: Run, tmp_path: Path) -> None:
    found = Transducer.load(run.folder).attention("abd", "db")
    np.testing.assert_allclose(np.asarray(found).sum(axis=1), 1.0, atol=1e-5)
    assert np.asarray(found, dtype=np.float64).dtype == np.float64
    title = found.figure().get_suptitle()
    assert title == "Attention while writing: db"
    found.draw(tmp_path / "a.png")
    assert found._repr_png_() == (tmp_path / "a.png").read_bytes()


def test_a_letter_that_the_model_does_not_know_is_shown_itself(run: Run) -> None:
    found = attention_of(TrainedModel.load(run.folder), "aéd", "dz我")
    assert found.source == (*"aéd", "end")
    assert found.output == (*"dz我", "end")


def test_the_scale_is_from_0_to_1_however_small_the_weights(run: Run) -> None:
    found = attention_of(TrainedModel.load(run.folder), "abd")
    faint = dataclasses.replace(found, weights=found.weights / 100)
    for attention in (found, faint, dataclasses.replace(faint, over_frames=True)):
        [mesh] = attention.figure().axes[0].collections
        assert mesh.get_clim() == (0.0, 1.0)


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
