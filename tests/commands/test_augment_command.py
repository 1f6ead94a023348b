"""``transduce augment`` at the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import transduce.workflow.synthetic.asking as asking
from command_line import call
from reversal_run import Run

_AUDIO = ["data.input.kind=audio", "model.frontend.kind=linear"]


def test_pairs_a_recipe_and_what_to_type_next(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("abc\nda\n\n")
    asked = ["augment", run.recipe, "--model", run.folder, "--text", text]
    asked += ["--output", tmp_path / "out", "--beam", 2]
    assert call(monkeypatch, *asked) == 0
    first = capsys.readouterr().out
    assert "2 pairs made from 3 texts, 2 kept\npairs left out, empty: 1\n" in first
    assert (
        f"transduce train {tmp_path / 'out' / 'recipe.yaml'} data.parts.synthetic.weight=1" in first
    )
    before = (tmp_path / "out/synthetic.jsonl").read_bytes()
    assert call(monkeypatch, *asked) == 0
    assert (capsys.readouterr().out, (tmp_path / "out/synthetic.jsonl").read_bytes()) == (
        first,
        before,
    )
    drawn = [*asked[:-4], "--output", tmp_path / "drawn", "--by", "sampling", "--no-tag"]
    assert call(monkeypatch, *drawn, "training.seed=3") == 0
    for line in (tmp_path / "drawn/synthetic.jsonl").read_text().splitlines():
        assert set(json.loads(line)) == {"source", "target"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--text or --sources must be given, one of them; got neither"),
        (
            ["--text", "a", "--sources", "a"],
            "--text or --sources must be given, one of them; got both",
        ),
        (["--text", "-"], "--text must be files"),
        (["--sources", "-"], "--sources must be files"),
        (["--text", "missing.txt"], "missing.txt: file must be readable"),
        (
            ["--text", "a", "--by", "beams"],
            "--by must be one of beam, sampling, noised; got 'beams'",
        ),
        (["--text", "a", "--by", "sampling", "--beam", "3"], "--beam must be left out with --by"),
        (["--text", "a", "--minimum-confidence", "2"], "--minimum-confidence must be from 0 to 1"),
        (["--text", "a", "--best-share", "0"], "--best-share must be above 0 and at most 1; got 0"),
        (["--text", "a", "--output", "."], "--output must be a new directory"),
        (["--text", "a", "--part", "x"], "part must be none"),
        (["--text", "a", "--model-part", "x"], "part must be none"),
        (["--text", "a", "data.train=null"], "data.train must name a file with pairs; got none"),
        (["--text", "a", *_AUDIO], "must read text with --text"),
        (["--sources", "a", *_AUDIO], "--model must read audio with --sources"),
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
    (tmp_path / "a").write_text("ab\n")
    monkeypatch.chdir(tmp_path)
    given = [run.recipe, "--model", run.folder, *arguments]
    if "--output" not in arguments:
        given += ["--output", "out"]
    assert call(monkeypatch, "augment", *given) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out" / "recipe.yaml").exists()


def test_recordings_get_texts_and_no_tag(
    hearing: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (hearing / "few.tsv").write_text("0.wav\ta\n1.wav\tb\n")
    monkeypatch.chdir(hearing)
    monkeypatch.setattr(asking, "usable", lambda outputs: ["ab"])  # it has learnt nothing
    given = ["augment", "model/config.yaml", "--model", "model", "--sources", "7.wav"]
    given += ["data.train=few.tsv", "data.dev=few.tsv", "--output", tmp_path / "out"]
    assert call(monkeypatch, *given) == 0, capsys.readouterr().err
    [line] = (tmp_path / "out/synthetic.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert set(record) == {"source", "target"}
    assert Path(record["source"]).is_absolute()
    assert call(monkeypatch, "check", tmp_path / "out/recipe.yaml") == 0, capsys.readouterr().err
    assert call(monkeypatch, *given, "--by", "noised") == 2
    assert "noise must be asked of sources that are text; got audio" in capsys.readouterr().err
