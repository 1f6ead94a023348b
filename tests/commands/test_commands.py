"""The commands end to end on data of all shapes; what goes wrong on the way out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_line import call, feed
from reversal_run import Run
from small_runs import tiny, train_tiny, words, write_lines, write_reversals
from transduce import __version__
from transduce.workflow.predicting.predictor import Output
from transduce.workflow.trained import WEIGHTS, TrainedModel, read_report

Patch = pytest.MonkeyPatch
Capture = pytest.CaptureFixture[str]


def write_recipe(path: Path, steps: int, **data: object) -> Path:
    config = tiny(
        dict(data),
        steps,
        training={"schedule": "constant", "warmup_steps": 0, "evaluate_every": 3},
    )
    path.write_text(config.to_yaml())
    return path


# ---------------------------------------------------------------- train


def test_train_and_resume_give_the_weights_of_one_run(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    train = write_reversals(tmp_path / "train.tsv", words(1, 40))
    recipe = write_recipe(tmp_path / "r.yaml", 6, train=train, dev_fraction=0.3)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert call(monkeypatch, "train", recipe, "--output", whole) == 0
    assert f"model: {whole}" in capsys.readouterr().out
    assert call(monkeypatch, "train", recipe, "training.max_steps=3", "--output", parts) == 0
    assert call(monkeypatch, "train", recipe, "--output", parts, "--resume") == 0
    assert (whole / WEIGHTS).read_bytes() == (parts / WEIGHTS).read_bytes()


def test_parallel_files_by_key(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    texts = words(1, 30)
    write_lines(tmp_path / "t.en", texts)
    write_lines(tmp_path / "t.de", [text[::-1] for text in texts])
    recipe = write_recipe(tmp_path / "r.yaml", 1, dev_fraction=0.3)
    files = f"{{source: {tmp_path}/t.en, target: {tmp_path}/t.de}}"
    arguments = ["train", recipe, f"data.train={files}", "--output", tmp_path / "run"]
    assert call(monkeypatch, *arguments) == 0
    assert call(monkeypatch, "evaluate", tmp_path / "run", f"data.test={files}") == 0
    assert "30 sentences" in capsys.readouterr().out
    two = [tmp_path / "run", tmp_path / "." / "twin"]
    two[1].symlink_to(two[0])
    assert call(monkeypatch, "compare", *two, "--data", files) == 0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.max_steps=abc", "training.max_steps must be a whole number; got 'abc'"),
        ("training.max_step=3", "did you mean max_steps"),
        ("training.max_steps", "override must be of the form KEY=VALUE"),
        ("model.encoder.kind=elman", "model.encoder"),
        ("data.train=none.tsv", "none.tsv: file must be readable"),
        (f"search.forbidden=[{'x' * 300}", "value of search.forbidden must be valid YAML"),
    ],
)
def test_wrong_overrides_are_one_line(
    run: Run, tmp_path: Path, monkeypatch: Patch, capsys: Capture, override: str, message: str
) -> None:
    arguments = ["train", run.recipe, override, "--output", tmp_path / "run"]
    assert call(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------- check


def test_check_takes_several_files(
    run: Run, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    more = write_lines(tmp_path / "more.tsv", ["x\ty"] * 3)
    assert call(monkeypatch, "check", run.test, more) == 0
    assert "33" in capsys.readouterr().out
    assert call(monkeypatch, "check", run.recipe, more) == 2
    assert "RECIPE must stand alone; got 2 files" in capsys.readouterr().err


def test_a_recipe_is_one_in_capitals_too(
    run: Run, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    recipe = tmp_path / "RECIPE.YAML"
    recipe.write_bytes(run.recipe.read_bytes())
    assert call(monkeypatch, "check", recipe) == 0
    assert "dev: 20 pairs" in capsys.readouterr().out


def test_check_says_no_to_data_that_cannot_be_used(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    assert call(monkeypatch, "check", tmp_path / "none.tsv") == 2
    found = capsys.readouterr()
    assert "none.tsv" in found.err
    assert found.err.count("\n") == 1
    assert "file must exist" in found.out


# ---------------------------------------------------------------- evaluate, show, compare


def test_scores_on_the_own_test_set_are_kept_and_shown(
    run: Run, monkeypatch: Patch, capsys: Capture
) -> None:
    report = read_report(run.folder)
    report.pop("test", None)
    (run.folder / "report.json").write_text(json.dumps(report))
    assert call(monkeypatch, "evaluate", run.folder, run.test) == 0
    assert call(monkeypatch, "evaluate", run.folder, "search.beam=2") == 0
    assert "test" not in read_report(run.folder)
    assert call(monkeypatch, "show", run.folder) == 0
    assert "not tested yet" in capsys.readouterr().out
    assert call(monkeypatch, "evaluate", run.folder, "--worst", 1) == 0
    kept = read_report(run.folder)["test"]
    assert kept["metrics"]["exact_match"] == 100.0
    assert "worst" not in kept
    assert read_report(run.folder)["training"] == report["training"]
    capsys.readouterr()
    assert call(monkeypatch, "show", run.folder) == 0
    shown = capsys.readouterr().out
    for phrase in ("share", "100.0 %", "model.safetensors", "train pairs", "dev, in training"):
        assert phrase in shown
    assert "not tested yet" not in shown


def test_several_references_and_skipped_lines(
    run: Run, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    test = write_lines(tmp_path / "t.tsv", ["abc\tx", "abc\tcba", "alone", "ab\tx", "ab\ty"])
    path = tmp_path / "scores.json"
    arguments = ["evaluate", run.folder, test, "data.on_error=skip", "--json", path]
    assert call(monkeypatch, *arguments) == 0
    assert "not tested: 1 skipped" in capsys.readouterr().out
    found = json.loads(path.read_text())
    assert found["metrics"]["exact_match"] == 50.0
    assert found["problems"]["skipped"] == 1


def test_tokenizers_may_differ_between_compared_models(
    run: Run, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    train = write_reversals(tmp_path / "train.tsv", words(3, 60))
    kinds = {"source": {"kind": "byte"}, "target": {"kind": "bpe", "vocabulary_size": 300}}
    config = tiny({"train": train, "dev_fraction": 0.3}, tokenizer=kinds)
    train_tiny(config, tmp_path / "bytes")
    path = tmp_path / "c.json"
    assert call(monkeypatch, "compare", run.folder, tmp_path / "bytes", "--json", path) == 0
    capsys.readouterr()
    first, second = json.loads(path.read_text())["systems"]
    assert first["metrics"]["exact_match"] == 100.0
    assert second["against_first"]["exact_match"]["difference"] < 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "RUN", "--json", "HERE/no/x.json"], "--json must be in a folder that exists"),
        (["evaluate", "RUN", "--json", "HERE"], "--json must be a file; got the folder"),
        (
            ["evaluate", "RUN", "model.tie=all"],
            "search, neighbours, evaluation, engine; got model",
        ),
        (["evaluate", "RUN", "data.test=null"], "data.test must name a file with pairs"),
        (["compare", "RUN", "RUN", "--plot", "HERE/no/x.png"], "--plot must be in a folder that"),
        (["compare", "RUN", "RUN"], "names of systems must differ"),
        (["predict", "RUN", "--output", "HERE/no/x"], "--output must be in a folder that exists"),
        (["predict", "RUN", "HERE"], "folder must be one written by datasets"),
        (["predict", "RUN", "TEST", "--output", "TEST"], "--output must be another file than"),
        (
            ["predict", "RUN", "training.seed=2"],
            "search, neighbours, evaluation, engine; got tr",
        ),
        (["predict", "RUN", "--beam", "0"], "search.beam must be at least 1; got 0"),
        (["predict", "RUN", "--nbest", "0"], "search.nbest must be at least 1; got 0"),
        (["predict", "RUN", "--ensemble", "HERE"], "which has no config.yaml"),
    ],
)
def test_errors_come_before_any_work(
    run: Run,
    tmp_path: Path,
    monkeypatch: Patch,
    capsys: Capture,
    arguments: list[str],
    message: str,
) -> None:
    before = run.test.read_bytes()
    places = {"RUN": str(run.folder), "TEST": str(run.test)}
    found = [places.get(text, text.replace("HERE", str(tmp_path))) for text in arguments]
    feed(monkeypatch, "")
    assert call(monkeypatch, *found) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert run.test.read_bytes() == before


# ---------------------------------------------------------------- predict


def test_nbest_widens_the_beam(run: Run, monkeypatch: Patch, capsys: Capture) -> None:
    feed(monkeypatch, "abc\n\n")
    assert call(monkeypatch, "predict", run.folder, "--nbest", 3) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split("\t")[0] == "cba"
    assert len(set(first.split("\t"))) == 3
    assert second == ""


def test_ensemble(run: Run, monkeypatch: Patch, capsys: Capture) -> None:
    feed(monkeypatch, "abc\nda\n")
    assert call(monkeypatch, "predict", run.folder, "--ensemble", run.folder) == 0
    assert capsys.readouterr().out == "cba\nad\n"


def _answering(written: list[list[Output]]) -> Callable[..., Iterator[list[Output]]]:
    """A ``predict`` that reads a source for each of these answers."""

    def predict(_: object, sources: Iterable[str], *__: object, **___: object) -> Any:
        return (outputs for _, outputs in zip(sources, written, strict=True))

    return predict


def test_a_line_for_a_line_whatever_the_outputs_hold(
    run: Run, monkeypatch: Patch, capsys: Capture
) -> None:
    texts = ["a\nb", "c\r\nd\u2028e", "f\tg", ""]
    written = [[Output(text, (), 0.0, 0.0, ())] for text in texts]
    monkeypatch.setattr(TrainedModel, "predict", _answering(written))
    feed(monkeypatch, "1\n2\n3\n4\n")
    assert call(monkeypatch, "predict", run.folder) == 0
    assert capsys.readouterr().out == "a b\nc d e\nf\tg\n\n"
    feed(monkeypatch, "1\n2\n3\n4\n")
    assert call(monkeypatch, "predict", run.folder, "--format", "jsonl") == 0
    records = [json.loads(line) for line in capsys.readouterr().out.split("\n")[:-1]]
    assert [record["text"] for record in records] == texts


def test_tabs_in_outputs_do_not_look_like_more_of_them(
    run: Run, monkeypatch: Patch, capsys: Capture
) -> None:
    both = [Output("f\tg", (), 0.0, 0.0, ()), Output("h", (), 0.0, 0.0, ())]
    monkeypatch.setattr(TrainedModel, "predict", _answering([both]))
    feed(monkeypatch, "1\n")
    assert call(monkeypatch, "predict", run.folder, "--nbest", 2) == 0
    assert capsys.readouterr().out == "f g\th\n"


def test_columns_from_training_to_prediction(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    rows = [f"{word}\t{word}s\tN;PL" for word in words(1, 30)]
    train = write_lines(tmp_path / "train.tsv", rows)
    values = yaml.safe_load(write_recipe(tmp_path / "r.yaml", 2, train=train).read_text())
    values["data"] |= {
        "source": [0, {"tags": 2, "separator": ";"}], "dev_fraction": 0.3, "test": str(train),
    }  # fmt: skip
    values["model"]["copy"] = True
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(values))
    folder = tmp_path / "run"
    assert call(monkeypatch, "train", tmp_path / "r.yaml", "--output", folder) == 0
    assert call(monkeypatch, "evaluate", folder) == 0
    twin = tmp_path / "twin"
    twin.symlink_to(folder)
    assert call(monkeypatch, "compare", folder, twin) == 0
    capsys.readouterr()
    # the source's own columns, and the layout of training, mean the same
    write_lines(tmp_path / "two.tsv", ["abc\tN;PL", "da\tN;PL"])
    write_lines(tmp_path / "three.tsv", ["abc\t\tN;PL", "da\t?\tN;PL"])
    answers = []
    for name in ("two.tsv", "three.tsv"):
        assert call(monkeypatch, "predict", folder, tmp_path / name, "--format", "jsonl") == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]
    assert answers[0].count("\n") == 2
    feed(monkeypatch, "abc\n")
    assert call(monkeypatch, "predict", folder) == 2
    assert "standard input, line 1: line must have the 2 source columns" in capsys.readouterr().err


# ---------------------------------------------------------------- the process around it


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "transduce", *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **{**pipes, **options})  # type: ignore[call-overload, no-any-return]


def test_as_a_module() -> None:
    process = start("--version")
    assert process.communicate()[0] == f"transduce {__version__}\n"
    assert process.returncode == 0


def test_a_reader_that_goes_away_leaves_no_traceback(run: Run, tmp_path: Path) -> None:
    many = write_lines(tmp_path / "many.txt", ["ab"] * 20_000)
    with start("predict", run.folder, many, "search.max_length=1") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "b\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode != 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_is_one_line(run: Run, monkeypatch: Patch, capsys: Capture) -> None:
    feed(monkeypatch, "abc\n")
    assert call(monkeypatch, "predict", run.folder, "--output", "/dev/full") == 2
    error = capsys.readouterr().err
    assert "/dev/full: --output must be writable; got No space left on device" in error
    with open("/dev/full", "w") as full:
        process = start("predict", run.folder, run.test, stdout=full)
        error = process.communicate("")[1]
    assert error == "transduce: standard output: No space left on device\n"
    assert process.returncode == 2


def test_ctrl_c_ends_training_with_a_checkpoint(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start("train", run.recipe, "training.max_steps=1000000", "--output", folder)
    log = folder / "training" / "log.jsonl"
    while not (log.exists() and '"step": 10,' in log.read_text()) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    printed, error = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in error
    assert "interrupted after" in printed
    assert "--resume" in printed
    assert TrainedModel.load(folder).report["training"]["stopped"] == "interrupted"


def test_several_inputs_one_after_another(
    run: Run, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    (tmp_path / "one.txt").write_text("abc\nda\n")
    (tmp_path / "two.txt").write_text("b\n")
    monkeypatch.chdir(tmp_path)
    feed(monkeypatch, "ca\n")
    done = call(monkeypatch, "predict", run.folder, "one.txt", "-", "two.txt", "search.beam=2")
    assert done == 0
    assert capsys.readouterr().out == "cba\nad\nac\nb\n"
