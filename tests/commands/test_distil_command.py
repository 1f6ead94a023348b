"""``transduce distil`` at the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import call
from reversal_run import Run


def test_pairs_a_recipe_and_what_to_type_next(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "few.csv"
    data.write_text("source,target\nabc,cba\nda,ad\n")
    more = tmp_path / "more.txt"
    more.write_text("dab\n")
    asked = ["distil", run.folder, "data.format=csv", "data.header=true", "--data", data]
    asked += ["data.dev=null", "data.test=null", "data.dev_fraction=0", "data.source=source"]
    asked += ["data.target=target", "--output", tmp_path / "out", "--nearest", "--beam", 3]
    assert call(monkeypatch, *asked) == 0
    first = capsys.readouterr().out
    assert "train.jsonl: 2 pairs from 2 sources" in first
    assert f"transduce train {tmp_path / 'out' / 'recipe.yaml'} " in first
    assert "training.teacher=[" in first
    assert call(monkeypatch, *asked) == 0  # nothing is asked twice
    assert capsys.readouterr().out == first
    lines = (tmp_path / "out/train.jsonl").read_text().splitlines()
    assert [json.loads(line)["source"] for line in lines] == ["abc", "da"]
    assert call(monkeypatch, *asked, "--sources", more) == 2
    assert "go on with the same models, data and options" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nearest", "--beam", "1"], "--nearest must choose among outputs"),
        (["--sources", "-"], "--sources must be files"),
        (["--sources", "missing.txt"], "missing.txt: file must be readable"),
        (["--output", "."], "--output must be a new directory"),
        (["--nbest", "5", "--beam", "2"], "nbest must be at most beam"),
        (["--part", "x"], "part must be none"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    (tmp_path / "here").write_text("")
    monkeypatch.chdir(tmp_path)
    given = [run.folder, *arguments]
    if "--output" not in arguments:
        given += ["--output", "out"]
    assert call(monkeypatch, "distil", *given) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out" / "recipe.yaml").exists()


def test_recordings_keep_their_paths(
    hearing: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pairs = "".join(f"{n}.wav\t{'abcd'[n % 4]}\n" for n in range(6))
    (hearing / "pairs.tsv").write_text(pairs)
    monkeypatch.chdir(hearing)
    asked = ["distil", "model", "--data", "pairs.tsv", "--output", tmp_path / "out", "--sources"]
    assert call(monkeypatch, *asked, "7.wav", "search.max_length=3") == 0, capsys.readouterr().err
    for name in ("train.jsonl", "sources.jsonl"):
        for line in (tmp_path / "out" / name).read_text().splitlines():
            path = Path(json.loads(line)["source"])
            assert path.is_absolute()
            assert path.is_file()
