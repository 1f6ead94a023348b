"""Rows of the zoo are trained, measured, told; what is done stays, what is wrong is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.zoo import building
from benchmarks.zoo.measuring import complaints
from benchmarks.zoo.results import Result, Scores
from benchmarks.zoo.rows import Zoo
from benchmarks.zoo.settings import require_same
from zoo_files import RECIPE, ROWS, call_zoo, write_zoo

from transduce.config import Config
from transduce.files import digest
from transduce.training.record.log import read_log
from transduce.workflow.trained import TrainedModel

pytestmark = pytest.mark.learning


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "cards" / "results.json").read_text())
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All rows, built once."""
    folder = write_zoo(tmp_path_factory.mktemp("zoo"))
    assert call_zoo(folder) == 0
    return folder


def test_a_row_is_trained_shrunk_and_measured_in_both_forms(built: Path) -> None:
    found = results(built)["reversal"]
    assert found["steps"] == 2
    for split in ("dev", "test"):
        assert found[split].keys() == {"float32", "int8"}
        assert found[split]["int8"]["metrics"].keys() >= {"loss", "exact_match", "cer"}
    small = TrainedModel.load(built / "runs" / "reversal-int8", "cpu")
    assert small.config.weights == "int8"
    assert found["parameters"] == sum(small.parameters_by_module().values())
    sizes = {
        name: (built / "runs" / name / "model.safetensors").stat().st_size
        for name in ("reversal", "reversal-int8")
    }
    assert sizes["reversal-int8"] < sizes["reversal"]
    assert found["megabytes"].keys() == {"float32", "int8"}
    assert found["weights"] == digest(built / "runs" / "reversal" / "model.safetensors")
    assert found["processor_minutes"] >= 0


def test_a_student_learns_from_the_row_before_it(built: Path) -> None:
    config = TrainedModel.read_config(built / "runs" / "student")
    assert config.training.teacher == (built / "runs" / "reversal",)
    assert (config.model.encoder.width, config.training.seed) == (4, 2)


def test_a_row_goes_on_from_the_row_that_it_begins_with(built: Path) -> None:
    run = built / "runs" / "longer"
    assert TrainedModel.read_config(run).model.from_ == built / "runs" / "reversal"
    card = (built / "cards" / "longer.md").read_text()
    assert "| begins with | `reversal` |" in card
    assert "model.from=runs/zoo/reversal" in card
    zoo = Zoo.read(built / "zoo.yaml")
    assert [row.name for row in zoo.with_needs(["longer"])] == ["reversal", "longer"]


def test_what_is_done_is_not_done_again(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(building, "train", None)
    monkeypatch.setattr(building, "measure", None)
    assert call_zoo(built) == 0
    assert "student: tokens right" in capsys.readouterr().out


def test_a_card_says_how_to_get_and_use_its_model(built: Path) -> None:
    card = (built / "cards" / "student.md").read_text()
    score = results(built)["student"]["test"]["int8"]["metrics"]["token_accuracy"]
    assert f" {score:.2f} % |\n" in card
    for text in (
        "transduce train tiny.yaml data.folder=DATA data.train=words/train.tsv",
        "'training.teacher=[runs/zoo/reversal]'",
        "training.seed=2",
        "echo abc | transduce predict runs/zoo/student-int8",
        "| licence | CC0 |",
        "| dev, float32 | dev, int8 | test, float32 | test, int8 |",
    ):
        assert text in card.replace(" \\\n  ", " ")


def test_the_table_has_the_plain_recipe_and_the_best_beside_it(built: Path) -> None:
    page = (built / "table.md").read_text()
    assert "[student]" not in page  # the plain one has not been measured
    assert call_zoo(built, "student-plain", "student-seed3") == 0
    found, page = results(built), (built / "table.md").read_text()
    line = next(line for line in page.splitlines() if "(../docs/zoo/student.md)" in line)
    cells = [cell.strip() for cell in line.split("|")]
    plain, best = (
        found[name]["test"]["float32"]["metrics"] for name in ("student-plain", "student")
    )
    assert cells[2] == "`training.max_steps=1 training.seed=2`"
    assert cells[6].startswith(f"tokens right {plain['token_accuracy']:.2f} %")
    assert cells[7].startswith(f"tokens right {best['token_accuracy']:.2f} %")
    assert "`model.encoder.width=4 training.label_smoothing=0 training.seed=2`" in cells[7]
    other = found["student-seed3"]["test"]["float32"]["metrics"]["token_accuracy"]
    spread = f"seeds 2, 3: {best['token_accuracy']:.2f}, {other:.2f}"
    assert f"; {spread}: `model" in cells[7]
    assert f"tokens right, {spread}.\n" in (built / "cards" / "student.md").read_text()
    assert "² Very slow." in page
    assert page.startswith("Above.")
    assert page.endswith("Below.\n")


def test_a_run_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_zoo(tmp_path, recipe=RECIPE.replace("max_steps: 2", "max_steps: 4, checkpoint_every: 2"))
    whole = building.train

    def stopped(words: list[str], run: Path, minutes: None, *, resume: bool) -> bool:
        """As far as the second step, then somebody interrupts."""
        whole(
            [*words, "training.max_steps=2", "training.schedule=constant"],
            run,
            minutes,
            resume=resume,
        )
        report = json.loads((run / "report.json").read_text())
        report["training"]["stopped"] = "interrupted"
        (run / "report.json").write_text(json.dumps(report))
        return False

    schedule = ["keys: [training.schedule=constant]", "scores: {exact_match: accuracy, cer: CER}"]
    rows = ROWS.replace(schedule[1], "\n    ".join(schedule))
    (tmp_path / "zoo.yaml").write_text(rows)
    monkeypatch.setattr(building, "train", stopped)
    assert call_zoo(tmp_path, "reversal") == 130
    assert "reversal: stopped; the same command goes on" in capsys.readouterr().err
    monkeypatch.setattr(building, "train", whole)
    assert call_zoo(tmp_path, "reversal") == 0
    log = read_log(tmp_path / "runs" / "reversal" / "training" / "log.jsonl")
    assert [entry["step"] for entry in log if entry["event"] == "step"] == [1, 2, 3, 4]
    assert "processor_minutes" not in results(tmp_path)["reversal"]


def test_a_row_that_fails_is_told_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ROWS[ROWS.index("  - name: reversal") : ROWS.index("  - name: student")]
    lost = first.replace("reversal", "lost").replace("train.tsv", "none.tsv")
    broken = first.replace("reversal", "broken").replace(
        "scores:", "keys: [model.copi=1]\n    scores:"
    )
    write_zoo(tmp_path, ROWS.replace(first, lost + broken + first).split("  - name: student")[0])
    assert call_zoo(tmp_path) == 1
    said = capsys.readouterr().out
    assert (
        f"lost: failed: {tmp_path}/data/words/none.tsv: must be there; got no such file "
        "(the tests: `words/*.tsv`)\n"
    ) in said
    assert "model.copi must be a known key" in said
    assert "\nreversal: accuracy" in said
    assert said.endswith("failed: lost broken\n")
    assert results(tmp_path).keys() == {"reversal"}
    assert not (tmp_path / "runs" / "lost").exists()


def test_a_run_of_other_settings_is_not_taken_for_the_row(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_zoo(tmp_path / "other", recipe=RECIPE.replace("width: 8", "width: 6"))
    run = str(built / "runs" / "reversal")
    assert call_zoo(other, "reversal", "--from-run", run) == 2
    expected = f"{run}: model.encoder.width must be 6, as the row says; got 8"
    assert expected in capsys.readouterr().err
    assert not (other / "cards" / "results.json").exists()


def test_where_the_data_of_a_run_lay_does_not_matter(tmp_path: Path) -> None:
    """In one file or two."""
    for source in ("here", "there"):
        (tmp_path / source).mkdir()
        data = {"format": "lines", "train": {"source": f"{source}.a", "target": f"{source}.b"}}
        config = Config.from_mapping({"data": data, "training": {"max_steps": 1}})
        (tmp_path / source / "config.yaml").write_text(config.to_yaml())
    require_same(tmp_path / "here", TrainedModel.read_config(tmp_path / "there"))


def test_a_run_that_was_trained_elsewhere_is_entered(built: Path, tmp_path: Path) -> None:
    """Its files may lie elsewhere, and ``training.dropout`` is what it does to both stacks."""
    recipe = RECIPE.replace("dropout: 0.1", "dropout: 0.4").replace(
        "precision:", "dropout: 0.1, precision:"
    )
    other = write_zoo(tmp_path / "other", recipe=recipe)
    run = str(built / "runs" / "reversal")
    assert call_zoo(other, "reversal", "--from-run", run, "--processor-minutes", "1.5") == 0
    first, second = results(built)["reversal"], results(other)["reversal"]
    assert second["processor_minutes"] == 1.5
    assert (first["weights"], first["test"]) == (second["weights"], second["test"])
    assert call_zoo(other, "reversal", "--from-run", run) == 0
    assert results(other)["reversal"]["processor_minutes"] == 1.5  # known of the same weights


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reversal", "--from-run", "NONE"], "NONE must be a finished run; got none, or one that"),
        (["--from-run", "NONE"], "--from-run must be given with one row; got 0"),
        (
            ["revers"],
            "row must be one of reversal, student, longer; got 'revers', did you mean reversal?",
        ),
    ],
)
def test_wrong_calls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    write_zoo(tmp_path)
    assert call_zoo(tmp_path, *arguments) == 2
    assert message in capsys.readouterr().err


def test_complaints() -> None:
    """Too large; worse by more than 0.2 points, in the metric's own direction."""
    row = Zoo.read(Path(__file__).parents[2] / "recipes" / "zoo.yaml").row("g2p-kor")

    def found(int8: float, megabytes: float = 3.0) -> list[str]:
        scores = {
            form: Scores(metrics={"wer": value})
            for form, value in (("float32", 20.0), ("int8", int8))
        }
        result = Result(
            keys=(), architecture="", parameters=1, test=scores, megabytes={"int8": megabytes}
        )
        return complaints(row, result)

    assert found(20.2) == found(10.0) == []
    assert found(20.25) == ["WER in int8 must be within 0.2 points of 20.00; got 20.25"]
    assert found(20.0, 3.004) == ["its int8 form must have 3 MB at most; got 3.00 MB"]
