"""The terminal face: each command, bad input, exit statuses."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command_line import call, feed
from reversal_run import Run
from transduce.cli import main
from transduce.errors import ModelError


def test_predict_is_a_filter(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(monkeypatch, "abc\n\nda\nb")
    assert call(monkeypatch, "predict", run.folder) == 0
    assert capsys.readouterr().out == "cba\n\nad\nb\n"


def test_predict_json_lines(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, output = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text("abc\nda\n")
    assert (
        call(
            monkeypatch, "predict", run.folder, source, "--format", "jsonl", "--beam", 3,
            "--nbest", 2, "--output", output,
        )
        == 0
    )  # fmt: skip
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [record["text"] for record in records] == ["cba", "ad"]
    assert [len(record["hypotheses"]) for record in records] == [2, 2]
    assert records[0]["hypotheses"][0]["token_scores"][0] <= 0


def test_predict_takes_search_options_by_key(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(monkeypatch, "abc\n")
    assert call(monkeypatch, "predict", run.folder, "search.max_length=2") == 0
    assert capsys.readouterr().out == "cb\n"


def test_evaluate_writes_plain_numbers(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scores.json"
    assert call(monkeypatch, "evaluate", run.folder, "--json", path, "--worst", 2) == 0
    assert "exact_match" in capsys.readouterr().out
    metrics = json.loads(path.read_text())["metrics"]
    assert metrics["exact_match"] == 100.0
    assert metrics["cer"] == 0.0
    assert metrics["perplexity"] >= 1.0
    assert all(isinstance(value, float) for value in metrics.values())


def test_compare_prints_significance(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = tmp_path / "twin"
    twin.symlink_to(run.folder)
    plot = tmp_path / "plot.png"
    assert call(monkeypatch, "compare", run.folder, twin, "--plot", plot) == 0
    assert "bootstrap" in capsys.readouterr().out
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_show_and_check(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "show", run.folder) == 0
    shown = capsys.readouterr().out
    assert "gru encoder, gru decoder" in shown
    assert "total" in shown
    assert call(monkeypatch, "check", run.recipe) == 0
    assert "duplicate" in capsys.readouterr().out


def test_train_refuses_an_occupied_directory(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "train", run.recipe, "--output", run.folder) == 2
    error = capsys.readouterr().err
    assert error.startswith("transduce: --output must be a new directory")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "none.yaml", "--output", "x"], "recipe must be a readable file"),
        (["show", "nowhere"], "model must be a directory with config.yaml"),
        (
            ["show", "RUN", "--output", "a.png"],
            "--output must be given with --attention",
        ),
        (["show", "RUN", "--part", "a"], "--part must be given with --attention; got a alone"),
        (["show", "RUN", "--engine", "--part", "a"], "--part must be given with --attention"),
        (
            ["show", "RUN", "--engine", "--attention", "ab"],
            "--engine must be used without --attention; got both",
        ),
        (
            ["demo", "--say", "cat", "--minutes", "3"],
            "--minutes must be given without --say",
        ),
        (
            ["predict", "RUN", "search.diversity=2"],
            "search.diverse_groups must be at least 2 for diversity; got 1",
        ),
        (["predict", "RUN", "no-such-file"], "no-such-file"),
        (
            ["predict", "RUN", "--format", "xml"],
            "--format must be one of text, jsonl,",
        ),
        (["predict", "RUN", "search.beem=3"], "did you mean beam"),
        (["evaluate", "RUN", "absent.tsv"], "absent.tsv"),
        (["compare", "RUN"], "MODEL must be given at least twice; got 1"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str],
    message: str,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = [str(run.folder) if text == "RUN" else text for text in arguments]
    feed(monkeypatch, "")
    assert call(monkeypatch, *found) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert error.startswith("transduce: ")


def test_bad_line_in_training_data(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.tsv"
    bad.write_text("a\tb\nalone\n")
    arguments = ["train", run.recipe, f"data.train={bad}", "--output", tmp_path / "run"]
    assert call(monkeypatch, *arguments) == 2
    assert f"{bad}, line 2" in capsys.readouterr().err


def test_debug_shows_the_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["transduce", "--debug", "show", "nowhere"])
    with pytest.raises(ModelError):
        main()


def test_help_does_not_import_torch() -> None:
    program = "import sys; sys.argv = ['transduce', '--help']\nfrom transduce.cli import main\n"
    program += "try:\n    main()\nexcept SystemExit: pass\n"
    program += "print(sorted({'torch', 'matplotlib', 'pyarrow', 'pydantic'} & set(sys.modules)))"
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.rstrip().endswith("[]"), time.perf_counter() - started
    for command in ("demo", "check", "train", "evaluate", "predict", "compare", "show"):
        assert command in done.stdout
