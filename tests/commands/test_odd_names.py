"""Files whose names are no UTF-8: recordings are heard, and the names come back whole."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from command_line import call
from recordings import write_recording

Patch, Capture = pytest.MonkeyPatch, pytest.CaptureFixture[str]
LATIN = os.fsdecode(b"caf\xe9")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder of two recordings and their texts; folder and files have odd names."""
    folder = tmp_path / LATIN
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("the file system wants UTF-8")
    for letter in "ab":
        path = folder / f"{letter}{LATIN}.wav"
        write_recording(tmp_path / "a.wav", letter).rename(path)
        path.with_suffix(".txt").write_text(letter)
    return folder


def test_answers_name_them(hearing: Path, odd: Path, tmp_path: Path, monkeypatch: Patch) -> None:
    wanted = [os.fsencode(odd / f"{letter}{LATIN}.wav") for letter in "ab"]
    for form in ("jsonl", "csv", "tsv"):
        out = tmp_path / f"out.{form}"
        given = ("predict", hearing / "model", odd, "--format", form, "--output", out)
        assert call(monkeypatch, *given) == 0
        text = out.read_bytes().decode()
        if form == "jsonl":
            names = [json.loads(line)["source"] for line in text.splitlines()]
            assert [os.fsencode(name) for name in names] == wanted
        else:
            delimiter = {"csv": ",", "tsv": "\t"}[form]
            rows = csv.DictReader(text.splitlines(), delimiter=delimiter)
            assert [row["source"] for row in rows] == [
                os.fsdecode(name).encode(errors="backslashreplace").decode() for name in wanted
            ]
    folder = tmp_path / "each"
    assert call(monkeypatch, "predict", hearing / "model", odd, "--output-dir", folder) == 0
    assert sorted(path.name for path in folder.iterdir()) == [f"{n}{LATIN}.txt" for n in "ab"]


def test_scores_name_them(
    hearing: Path, odd: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    figures = tmp_path / f"{LATIN}.json"
    given = ("evaluate", hearing / "model", odd, "--worst", 1, "--json", figures)
    assert call(monkeypatch, *given) == 0
    capsys.readouterr()
    [worst] = json.loads(figures.read_text())["worst"]
    assert os.fsencode(worst["source"]).endswith(b"caf\xe9.wav")


def test_training_hears_them(hearing: Path, odd: Path, tmp_path: Path, monkeypatch: Patch) -> None:
    beside = tmp_path / "clips"
    odd.rename(beside)
    (tmp_path / "r.yaml").write_text(
        f"data: {{train: {beside}, dev: {beside}, input: {{kind: audio, sampling_rate: 8000}}}}\n"
        "model: {frontend: {kind: subsampling, channels: 4}, encoder: {kind: gru, width: 8}, "
        "decoder: {kind: gru, width: 8}}\n"
        "training: {max_steps: 1}\n"
    )
    assert call(monkeypatch, "train", tmp_path / "r.yaml", "--output", tmp_path / "model") == 0
    assert json.loads((tmp_path / "model" / "report.json").read_text())["data"]["train_pairs"] == 2
