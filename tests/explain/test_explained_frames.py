"""Recordings and pictures explained: cells, canvases, pictures and pages."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from recordings import write_recording
from transduce.config import Config
from transduce.errors import DataError
from transduce.explain.asking.asked import ask
from transduce.explain.asking.units import cells, edges
from transduce.explain.explaining import explain
from transduce.explain.explanation import Explanation
from transduce.explain.showing.page import page
from transduce.explain.showing.panels_of_cells import png
from transduce.explain.showing.weight_picture import draw_explanation
from transduce.reading.frames import frame_reader
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.trained import TrainedModel


def untrained(data: dict, frontend: dict) -> TrainedModel:
    recurrent = {"kind": "gru", "width": 16, "dropout": 0.0}
    config = Config.from_mapping(
        {
            "data": {"input": data},
            "model": {"encoder": recurrent, "decoder": recurrent, "frontend": frontend},
            "search": {"max_length": 4},
        }
    )
    reader = frame_reader(config.data)
    target = Tokenizer.train(["abcd"], config.tokenizer.target)
    return TrainedModel.fresh(config, reader, target)


@pytest.fixture(scope="module")
def hearing():
    return untrained(
        {"kind": "audio", "sampling_rate": 8000, "mel_bins": 16},
        {"kind": "subsampling", "channels": 4},
    )


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return str(write_recording(tmp_path_factory.mktemp("heard") / "a.wav", "abc"))


@pytest.fixture(scope="module")
def heard(hearing, recording):
    return explain(hearing, recording, "ab", method="occlusion", cells=(6, 4))


@pytest.fixture(scope="module")
def seen():
    model = untrained({"kind": "image", "height": 12}, {"kind": "convolution2d"})
    picture = np.full((12, 30), 255, np.uint8)
    picture[3:9, 5:8] = 0
    return explain(model, picture, "ba", method="input-x-gradient")


def test_cells_are_as_equal_as_can_be():
    of = cells(10, 6, 4, 2, channels=1).of
    assert np.bincount(of.flatten().numpy()).tolist() == [9, 9, 6, 6, 9, 9, 6, 6]
    assert edges(10, 4) == [0, 3, 5, 8, 10]
    # Three channels of a pixel are of one cell.
    of = cells(2, 6, 2, 2, channels=3).of
    assert of[0].tolist() == [0, 1, 0, 1, 0, 1]


def test_a_recording_lies_over_seconds_and_hertz(heard):
    assert heard.kind == "audio"
    assert heard.target == ("a", "b", "end")
    canvas = heard.canvas
    assert (canvas.columns, canvas.rows) == (6, 4)
    assert canvas.column_edges[-1] == pytest.approx(0.3, abs=0.02)
    assert canvas.row_edges[0] < 200
    assert 3000 < canvas.row_edges[-1] <= 4000
    assert heard.weights.shape == (3, 6 * 4)
    assert heard.source[0].endswith("Hz")
    # The lowest band is undermost: the last row of the grid, the first of the weights.
    assert (heard.grid[0, -1] == heard.weights[0, ::4]).all()


def test_a_picture_lies_on_its_pixels(seen):
    assert seen.kind == "image"
    assert seen.canvas.picture.shape == (12, 30)
    assert seen.canvas.row_edges[-1] == 12
    assert (seen.grid[0, 0] == seen.weights[0, :: seen.canvas.rows]).all()
    ink = np.abs(seen.grid[0]).sum(0)  # paper is zero, and so is its part
    inked = [c for c, edge in enumerate(seen.canvas.column_edges[:-1]) if 4 <= edge < 8]
    assert ink[inked].any()
    assert not ink[[c for c in range(len(ink)) if seen.canvas.column_edges[c] >= 8]].any()


@pytest.mark.parametrize("kind", ["heard", "seen"])
def test_they_are_written_in_all_forms(kind, request, tmp_path):
    explanation = request.getfixturevalue(kind)
    assert Explanation.from_json(explanation.to_json()) == explanation
    text = page(explanation, explanation.to_json())
    assert text.count("<figure>") == len(explanation.rows)
    assert "data:image/png;base64," in text
    draw_explanation(explanation, tmp_path / "e.png")
    draw_explanation(explanation, tmp_path / "e.svg")
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "e.svg").read_bytes()


def test_what_stands_in_the_place_of_what_is_taken_away(hearing, recording):
    """Of a recording its mean, as masks in training; of a picture paper."""
    subject = ask(hearing, recording, "ab").subject
    assert (subject.blank == subject.source.frames.mean()).all()


def test_a_recording_that_is_heard_in_pieces_is_refused(recording):
    model = untrained(
        {"kind": "audio", "sampling_rate": 8000, "mel_bins": 8, "cut_at": 1.0},
        {"kind": "subsampling", "channels": 4},
    )
    long = np.random.default_rng(1).standard_normal(20000).astype(np.float32) * 0.1
    with pytest.raises(DataError, match=r"recording must have at most 1 seconds .*; got 2.5"):
        explain(model, long)
    assert explain(model, recording, "a", method="saliency").weights.any()


def test_png_holds_the_pixels():
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    data = png(picture)
    assert struct.unpack(">II", data[16:24]) == (4, 2)
    start = data.index(b"IDAT")
    size = struct.unpack(">I", data[start - 4 : start])[0]
    raw = zlib.decompress(data[start + 4 : start + 4 + size])
    assert raw == b"".join(b"\0" + line.tobytes() for line in picture)
