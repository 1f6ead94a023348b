"""Prediction answers every record: one that cannot be answered leaves the others as they are."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from command_line import call, feed
from recordings import spoken, write_recording
from transduce import Transducer
from transduce.config import SearchConfig
from transduce.errors import DataError
from transduce.reading.streams import LONGEST_LINE
from transduce.workflow.predicting.source_limits import SourceLimits
from transduce.workflow.trained import TrainedModel

Patch, Capture = pytest.MonkeyPatch, pytest.CaptureFixture[str]
WORDS = ["ab", "abc", "cab", "bca", "acb", "ba"] * 10


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Attention over learned positions, 12 of them."""
    layer = {"kind": "transformer", "width": 16, "heads": 2, "feedforward": 16, "layers": 1}
    encoder = {**layer, "positions": "learned", "max_positions": 12}
    learner = Transducer({"encoder": encoder, "decoder": layer}, max_steps=2, dev_fraction=0.4)
    folder = tmp_path_factory.mktemp("answers") / "model"
    learner.fit(WORDS, WORDS).save(folder)
    return folder


def answered(
    model: Path, text: str, monkeypatch: Patch, capsys: Capture, *more: object
) -> list[str]:
    """What the command writes for standard input that has nothing wrong."""
    feed(monkeypatch, text)
    assert call(monkeypatch, "predict", model, "-", *more) == 0
    return capsys.readouterr().out.splitlines()


def test_lines_that_cannot_be_answered_have_an_empty_line(
    model: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    path = tmp_path / "a.txt"
    long = "a" * (LONGEST_LINE + 1)
    path.write_bytes(f"ab\n{long}\ncab\n".encode() + b"\xff\n" + b"abc" * 9 + b"\nba\n")
    good = answered(model, "ab\ncab\nba\n", monkeypatch, capsys)
    assert call(monkeypatch, "predict", model, path) == 2
    found = capsys.readouterr()
    assert found.out.splitlines() == [good[0], "", good[1], "", "", good[2]]
    assert found.err.splitlines() == [
        f"transduce: {path}, line 2: line must have at most 4,194,304 bytes; got more",
        f"transduce: {path}, line 4: line must be UTF-8 text; got byte 0xff at character 1",
        "transduce: source must have at most 12 tokens, as many as the model can tell apart or "
        "compare (search.max_source_length cuts longer ones); got 28",
        "transduce: all records must be answerable; got 3 of 6 that are not, each "
        "with an empty answer",
    ]


def test_a_single_one_is_the_error(model: Path, monkeypatch: Patch, capsys: Capture) -> None:
    feed(monkeypatch, f"ab\n{'abc' * 9}\nba\n")
    assert call(monkeypatch, "predict", model, "--format", "jsonl") == 2
    found = capsys.readouterr()
    records = [json.loads(line) for line in found.out.splitlines()]
    assert [record["text"] == "" for record in records] == [False, True, False]
    assert records[1]["hypotheses"] == []
    assert found.err == f"transduce: {records[1]['error']}\n"
    assert "error" not in records[0]
    assert "error" not in records[0]["hypotheses"][0]


def test_only_the_first_are_named(model: Path, monkeypatch: Patch, capsys: Capture) -> None:
    feed(monkeypatch, f"{'abc' * 9}\n" * 25)
    assert call(monkeypatch, "predict", model) == 2
    found = capsys.readouterr()
    assert found.out == "\n" * 25
    assert len(found.err.splitlines()) == 21


@pytest.mark.parametrize("options", [("--beam", 3), ("--nbest", 2), ("engine=reference",)])
def test_a_source_is_cut_where_the_person_said_so(
    model: Path, monkeypatch: Patch, capsys: Capture, options: tuple[object, ...]
) -> None:
    text = "abcabcabcabcabcabc\nab\n"
    cut = answered(model, "abcabcabc\nab\n", monkeypatch, capsys, *options)
    found = answered(model, text, monkeypatch, capsys, "search.max_source_length=10", *options)
    assert found == cut


def test_what_came_before_the_end_of_a_damaged_file_is_answered(
    model: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    path = tmp_path / "a.txt.gz"
    lines = [f"{'abc' * (n % 3)}{'cba'[n % 2 :]}" for n in range(3000)]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0)[:-20])
    assert call(monkeypatch, "predict", model, path) == 2
    found = capsys.readouterr()
    assert len(found.out.splitlines()) > 1000
    assert f"{path}: file must be whole gzip or zstandard data" in found.err


def test_records_of_every_format_keep_their_place(
    model: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    good = answered(model, "ab\ncab\n", monkeypatch, capsys)
    path = tmp_path / "a.jsonl"
    path.write_text('{"source": "ab"}\n{"source": null}\n\n{"source": "cab"}\n[\n')
    assert call(monkeypatch, "predict", model, path) == 2
    assert capsys.readouterr().out.splitlines() == [good[0], "", "", good[1], ""]


def test_recordings_that_cannot_be_read_leave_the_others(
    hearing: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    def predicted(*names: str) -> tuple[list[str], str, int]:
        manifest = tmp_path / "list.txt"
        manifest.write_text("".join(f"{hearing / name}\n" if name else "\n" for name in names))
        status = call(monkeypatch, "predict", hearing / "model", manifest)
        found = capsys.readouterr()
        return found.out.splitlines(), found.err, status

    whole = (hearing / "0.wav").read_bytes()
    (hearing / "cut.wav").write_bytes(whole[:30])
    good, _, status = predicted("1.wav", "2.wav")
    assert status == 0
    out, err, status = predicted("cut.wav", "1.wav", "none.wav", "", "2.wav", "cut.wav")
    assert (out, status) == (["", good[0], "", "", good[1], ""], 2)
    assert f"{hearing / 'cut.wav'}: recording must be" in err
    assert f"{tmp_path / 'list.txt'}, line 4: line must be the path of a source; got nothing" in err
    assert "got 4 of 6 that are not" in err
    assert predicted("cut.wav")[::2] == ([""], 2)


def test_a_recording_that_is_damaged_in_a_later_window_has_no_answer(
    hearing: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    """Its first windows are decoded by then; none of that is given."""
    long = np.concatenate([spoken("abcdabcdabcd", seed) for seed in range(8)])
    soundfile.write(tmp_path / "long.flac", long, 8000)
    damaged = bytearray((tmp_path / "long.flac").read_bytes())
    damaged[-2000:-1000] = bytes(1000)
    (tmp_path / "damaged.flac").write_bytes(damaged)
    (tmp_path / "list.txt").write_text("damaged.flac\nlong.flac\ndamaged.flac\n")
    arguments = "predict", hearing / "model", tmp_path / "list.txt"
    for window in ("data.input.cut_at=1.5", "data.input.cut_at=null"):
        assert call(monkeypatch, *arguments, window, "search.max_length=3") == 2
        found = capsys.readouterr()
        assert [bool(line) for line in found.out.splitlines()] == [False, True, False]
        assert found.err.count("damaged.flac: recording must be a whole") == 2


def test_frames_are_cut_too(hearing: Path) -> None:
    trained = TrainedModel.load(hearing / "model")
    samples = spoken("abcdabcd")
    frames = trained.source.read(samples)  # type: ignore[union-attr]
    half = trained.predictor().predict_frames([[frames[:40]]], SearchConfig())
    [[cut]] = trained.predict([samples], SearchConfig(max_source_length=40))
    [[expected]] = half
    assert cut == expected


def test_evaluation_leaves_out_what_cannot_be_read(
    hearing: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    """A recording whose header is sound and the rest is not."""
    write_recording(tmp_path / "a.wav", "a")
    damaged = bytearray(write_recording(tmp_path / "b.wav", "b").read_bytes())
    damaged[44:] = bytes(len(damaged) - 44)  # silence
    (tmp_path / "b.wav").write_bytes(damaged)
    (tmp_path / "test.tsv").write_text("a.wav\ta\nb.wav\tb\n")
    arguments = ("evaluate", hearing / "model", tmp_path / "test.tsv")
    assert call(monkeypatch, *arguments) == 2
    assert "b.wav: recording must hold sound; got silence" in capsys.readouterr().err
    assert call(monkeypatch, *arguments, "data.on_error=skip") == 0
    assert "not tested: 1 skipped (1 unreadable source)" in capsys.readouterr().out
    (tmp_path / "test.tsv").write_text("b.wav\tb\n")
    assert call(monkeypatch, *arguments, "data.on_error=skip") == 2
    assert "examples to score on must hold one that can be read" in capsys.readouterr().err


# ---------------------------------------------------------------- in Python


def test_python_raises_unless_it_is_told_to_go_on(model: Path) -> None:
    trained = TrainedModel.load(model)
    sources = ["ab", "abc" * 9, "\ud800", "", "ba"]
    with pytest.raises(DataError, match="source must have at most 12 tokens"):
        list(trained.predict(sources, SearchConfig()))
    found = [best for best, *_ in trained.predict(sources, SearchConfig(), keep_going=True)]
    assert [bool(output.error) for output in found] == [False, True, False, False, False]
    assert found[1].text == ""
    assert not found[1].finished


def test_an_error_in_the_place_of_a_source(model: Path) -> None:
    trained = TrainedModel.load(model)
    given = ["ab", DataError("what is wrong", file="a.txt", line=7)]
    [[first], [second]] = trained.predict(given, SearchConfig(), keep_going=True)
    assert (first.error, second.error) == ("", "a.txt, line 7: what is wrong")
    with pytest.raises(DataError, match=r"a\.txt, line 7: what is wrong"):
        list(trained.predict(given, SearchConfig()))


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_more_than_the_memory_at_hand_is_refused(engine: str, monkeypatch: Patch) -> None:
    words = ["abc", "cab"] * 20
    stack = {"kind": "gru", "width": 64}
    learner = Transducer(
        {"encoder": stack, "decoder": stack},
        max_steps=1,
        dev_fraction=0.4,
        options={"engine": engine},
    )
    learner.fit(words, words)
    monkeypatch.setattr("transduce.workflow.predicting.source_limits._free_here", lambda: 100 << 20)
    monkeypatch.setattr("transduce.workflow.predicting.source_limits._FREELY", 0)
    with pytest.raises(
        DataError,
        match=r"source must fit into memory \(search.max_source_length "
        r"cuts longer ones\); got 50,001 tokens, which take about 0\.[0-9] GB where "
        r"0\.1 GB are free",
    ):
        learner.predict(["abcab" * 10_000])  # fmt: skip
    assert len(learner.predict(["abcab" * 10_000], max_source_length=500, max_length=2)) == 1


def test_a_shortage_of_memory_is_one_line(model: Path, monkeypatch: Patch) -> None:
    trained = TrainedModel.load(model)
    stepper = trained.stepper()

    def start(*arguments: object, **options: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes")

    monkeypatch.setattr(stepper, "start", start)
    monkeypatch.setattr(stepper, "search", start, raising=False)
    with pytest.raises(Exception, match="sources that are decoded together must fit into memory"):
        list(trained.predict(["ab"], SearchConfig()))


def test_limits_add_up() -> None:
    one = SourceLimits(positions=None, each=3.0, pairs=1.0)
    two = SourceLimits(positions=7, each=4.0)
    both = one.plus(two)
    assert (both.positions, both.each, both.pairs) == (7, 7.0, 1.0)
    with pytest.raises(DataError, match="at most 7 tokens"):
        both.check(8)
    both.check(7)
