"""Rungs, the processes that hold them, and what is said of them. No time is asserted."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

import transduce.ladder.climbing as climbing
from command_line import call
from reversal_run import Run
from transduce.errors import ConfigError, ModelError
from transduce.evaluation.compare import System, compare_systems
from transduce.ladder.ladder_picture import ladder_figure
from transduce.ladder.ladder_rows import Ladder, LadderRow
from transduce.ladder.rung import Rung, model_job, rungs_of, sizes
from transduce.ladder.rung_process import RungProcess
from transduce.ladder.rung_worker import memory, serve
from transduce.search import Shortlist
from transduce.workflow.trained import TrainedModel


def test_options_stand_behind_their_rung_or_before_all() -> None:
    rungs = rungs_of(["search.beam=2", "runs/a", "engine=float32", "runs/a", "runs/b"])
    assert [rung.name for rung in rungs] == ["a engine=float32", "a", "b"]
    assert rungs[0].options == ("search.beam=2", "engine=float32")
    assert rungs[2].options == ("search.beam=2",)
    assert [rung.name for rung in rungs_of(["x/a", "y/a"])] == ["x/a", "y/a"]
    with pytest.raises(ConfigError, match="rungs must differ; got 'runs/a' twice"):
        rungs_of(["runs/a", "runs/a"])
    with pytest.raises(ConfigError, match="at least one model directory"):
        rungs_of(["engine=float32"])


def test_sizes_leave_out_what_only_training_reads(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "model.safetensors").write_bytes(b"x" * 100)
    (tmp_path / "model.safetensors").write_bytes(b"x" * 10)
    (tmp_path / "config.yaml").write_bytes(b"x" * 3)
    assert sizes(tmp_path) == (13, 10)


def asked(job: dict[str, object], *questions: dict[str, object]) -> list[dict[str, object]]:
    lines = "".join(json.dumps(line) + "\n" for line in (job, *questions))
    sink = io.StringIO()
    serve(io.StringIO(lines), sink)
    return [json.loads(line) for line in sink.getvalue().splitlines()]


def test_a_worker_answers_with_the_options_of_its_rung(run: Run) -> None:
    job = model_job(Rung("r", run.folder, ("search.max_length=1",)), None)
    question = {"sources": ["abc", "da"], "together": 2}
    (reply,) = asked(json.loads(json.dumps(job)), question)
    assert [len(text) for text in reply["texts"]] == [1, 1]  # type: ignore[attr-defined]
    assert reply["errors"] == ["", ""]
    assert reply["tokens"] == 2  # no end was reached
    assert set(reply) >= {"seconds", "resident", "most"}
    (failed,) = asked(model_job(Rung("r", run.folder / "none"), None), question)
    assert "none" in str(failed["failed"])


def test_memory_is_told() -> None:
    found = memory()
    assert 1 < found["resident"] <= found["most"] * 1.01


def test_a_process_that_ends_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="rung: model must be a directory"):
        RungProcess("rung", model_job(Rung("rung", tmp_path), None), 1, "abc")
    with pytest.raises(ModelError, match=r"rung must be run to its end; it ended with status 1"):
        RungProcess("rung", {"kind": "transduce", "wrong": 1}, 1, "abc")


def row(name: str, size: int, rate: float) -> LadderRow:
    return LadderRow(name, size, size // 2, 200.0, 250.0, 1.5, {1: rate, 32: 4 * rate})


def test_the_table_the_picture_and_the_values() -> None:
    systems = [System("whole", ["a", "b", "c"]), System("small", ["a", "b", "x"])]
    comparison = compare_systems(systems, [["a"], ["b"], ["c"]], ["exact_match"], resamples=10)
    rows = row("whole", 4_000_000, 100), row("small", 1_000_000, 300)
    found = Ladder(rows, comparison, 2, 5, ("ctranslate2 int8 (it cannot)",))
    table = found.table()
    assert "3 sentences, 2 threads" in table
    for said in ("4.00", "2.00", "1.50", "100", "400", "-33.33", "no rung: ctranslate2 int8 (it"):
        assert said in table
    axes = ladder_figure(found).axes
    assert len(axes) == 2
    assert {text.get_text() for text in axes[0].texts} >= {"whole", "small"}
    values = json.loads(json.dumps(found.to_dict()))
    assert values["rungs"][1]["tokens_per_second"] == {"1": 300, "32": 1200}
    assert values["comparison"]["systems"][0]["name"] == "whole"


def test_the_command_measures_each_rung(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["ladder", "search.beam=2", run.folder, "search.max_length=1", run.folder]
    asked += ["--data", run.test, "--rounds", 1, "--threads", 1]
    places = tmp_path / "l.json", tmp_path / "l.png"
    status = call(monkeypatch, *asked, "--json", places[0], "--plot", places[1])
    said = capsys.readouterr()
    assert status == 0, said.err
    rungs = json.loads(places[0].read_text())["rungs"]
    systems = json.loads(places[0].read_text())["comparison"]["systems"]
    assert [rung["name"] for rung in rungs] == [
        f"{run.folder} search.max_length=1",
        str(run.folder),
    ]
    assert systems[0]["metrics"]["exact_match"] < systems[1]["metrics"]["exact_match"]
    assert all(rung["tokens_per_second"]["32"] > 0 for rung in rungs)
    assert "no rung: ctranslate2 int8 (model.encoder.kind must be transformer" in said.out
    assert places[1].stat().st_size > 1000


def test_a_rung_with_a_shortlist(run: Run, tmp_path: Path) -> None:
    def answered(folder: Path, *options: str) -> dict[str, object]:
        (rung,) = rungs_of([str(folder), *options])
        job = json.loads(json.dumps(model_job(rung, None)))
        return asked(job, {"sources": ["abc", "daa"], "together": 2})[0]

    listed = "search.shortlist=true"
    failed = answered(run.folder, listed)["failed"]
    assert "which `transduce shortlist MODEL` learns" in str(failed)
    trained = TrainedModel.load(run.folder, "cpu")
    size, none = trained.target_tokenizer.size, np.zeros(trained.reader.width + 1, dtype=np.int64)
    (a,) = trained.target_tokenizer.encode("a")
    trained.shortlist = Shortlist(none, none[:0], np.array([a]), size)  # a alone may be written
    trained.save(tmp_path / "model")
    assert answered(tmp_path / "model")["texts"] == ["cba", "aad"]
    texts: list[str] = answered(tmp_path / "model", listed)["texts"]  # type: ignore[assignment]
    assert {*"".join(texts)} <= {"a"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--rounds", "0"], "--rounds and --threads"), (["model.tie=all"], "must be of data, search")],
)
def test_what_cannot_be_done_is_one_line(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    assert call(monkeypatch, "ladder", run.folder, *arguments) == 2
    assert said in capsys.readouterr().err


def test_a_model_that_ctranslate2_holds_is_a_rung_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ctranslate2")
    from small_runs import tiny, train_tiny, write_reversals

    stack = {"kind": "transformer", "width": 16, "layers": 1, "heads": 2, "feedforward": 16}
    pairs = write_reversals(tmp_path / "p.tsv", ["ab", "ba", "abb"] * 4)
    config = tiny({"train": pairs, "dev": pairs}, model={"encoder": stack, "decoder": stack})
    train_tiny(config, tmp_path / "m")
    examples = [climbing.Example("ab", ("ba",)), climbing.Example("b", ("b",))]
    asked = climbing.Climb(examples, 1, rounds=1)
    found = climbing.climb([Rung("m", tmp_path / "m")], asked)
    assert [one.name for one in found.rows] == ["m", "ctranslate2 int8 of m"]
    assert found.left_out == ()
