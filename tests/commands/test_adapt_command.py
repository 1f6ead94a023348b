"""``transduce adapt``: corrections in, a small file out, the model as it was; its users."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pytest

from command_line import call
from reversal_run import Run
from transduce.errors import ModelError
from transduce.files import digest
from transduce.transducer import Transducer
from transduce.workflow.adapting.adapter_of import with_adapter
from transduce.workflow.shrinking import shrink
from transduce.workflow.trained import TrainedModel

WORDS = ["abc", "ca", "b", "bcb", "aac", "cab", "ab", "dd", "cbd", "ad", "acd", "bda"]


def swapped(word: str) -> str:
    """As the person of these tests writes it: an a at the end of the output is a c."""
    output = word[::-1]
    return output[:-1] + "c" if output.endswith("a") else output


@pytest.fixture(scope="module")
def corrections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("person") / "pairs.tsv"
    path.write_text("".join(f"{word}\t{swapped(word)}\n" for word in WORDS))
    return path


@pytest.fixture(scope="module")
def adapter(run: Run, corrections: Path) -> Path:
    file = corrections.with_name("person.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        assert call(patch, "adapt", run.folder, corrections, "-o", file, "--steps", 200) == 0
    return file


def files(folder: Path) -> dict[str, str]:
    return {path.name: digest(path) for path in folder.iterdir() if path.is_file()}


@pytest.mark.learning
def test_a_habit_is_learnt_and_the_rest_stays(
    run: Run,
    corrections: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = files(run.folder)
    file = tmp_path / "own.safetensors"
    assert call(monkeypatch, "adapt", run.folder, corrections, "-o", file, "--steps", 200) == 0
    said = capsys.readouterr().out
    assert files(run.folder) == before  # byte for byte
    assert "rank 4" in said
    assert "what they change: a → c (" in said
    assert f"transduce predict {run.folder} --adapter {file}" in said
    plain, own = Transducer.load(run.folder), Transducer.load(run.folder, adapter=file)
    every = ["".join(letters) for n in (1, 2, 3) for letters in itertools.product("abcd", repeat=n)]
    changed = [word for word in every if word.startswith("a")]
    others = [word for word in every if not word.startswith("a")]
    assert right(plain, changed) == 0
    assert right(own, changed) > 0.6 * len(changed)
    assert right(own, others) > right(plain, others) - 6


def right(model: Transducer, sources: list[str]) -> int:
    return sum(a == swapped(b) for a, b in zip(model.predict(sources), sources, strict=True))


def test_the_commands_and_python_agree(
    run: Run, adapter: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Transducer.load(run.folder, adapter=adapter)
    before = files(run.folder)
    source = adapter.with_name("sources.txt")
    source.write_text("\n".join(WORDS) + "\n")
    capsys.readouterr()
    assert call(monkeypatch, "predict", run.folder, source, "--adapter", adapter) == 0
    assert capsys.readouterr().out.split() == own.predict(WORDS)
    output = adapter.with_name("scores.json")
    arguments = ["evaluate", run.folder, "--adapter", adapter, "--json", output]
    assert call(monkeypatch, *arguments) == 0
    scores = json.loads(output.read_text())
    assert scores["adapter"] == str(adapter)
    assert files(run.folder) == before  # its report has no scores that are not its own
    reference = TrainedModel.load(run.folder, "cpu")
    assert "test" not in reference.report


def test_saved_it_is_a_model_of_its_own(run: Run, adapter: Path, tmp_path: Path) -> None:
    own = Transducer.load(run.folder, adapter=adapter)
    own.save(tmp_path / "own")
    assert Transducer.load(tmp_path / "own").predict(WORDS) == own.predict(WORDS)
    with pytest.raises(ModelError, match="adapter must be one of this model"):
        Transducer.load(tmp_path / "own", adapter=adapter)


def test_a_shrunk_model_is_adapted_in_its_own_numbers(
    run: Run, corrections: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, file = tmp_path / "int8", tmp_path / "own.safetensors"
    shrink(TrainedModel.load(run.folder, "cpu"), "int8").save(folder)
    before = files(folder)
    assert call(monkeypatch, "adapt", folder, corrections, "-o", file, "--steps", 200) == 0
    own = Transducer.load(folder, adapter=file)
    assert files(folder) == before
    assert right(own, WORDS) >= len(WORDS) - 3
    own.save(tmp_path / "saved")
    assert Transducer.load(tmp_path / "saved").predict(WORDS) == own.predict(WORDS)


def test_without_its_training_data_its_own_outputs_hold_it(
    run: Run,
    corrections: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, file = tmp_path / "moved", tmp_path / "own.safetensors"
    shutil.copytree(run.folder, folder)
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("train.tsv", "gone.tsv"))
    assert call(monkeypatch, "adapt", folder, corrections, "-o", file, "--steps", 120) == 0
    assert "training data are not there" in capsys.readouterr().err
    own = Transducer.load(folder, adapter=file)
    assert right(own, WORDS) >= len(WORDS) - 4


@pytest.mark.parametrize(
    ("lines", "options", "said"),
    [
        ("", (), "file must hold at least one pair; got an empty file"),
        ("ab\tbx\n", (), "line 1: target must hold only symbols that the model can write; got 'bx"),
        ("ab\tba\n", ("--rank", 0), "--rank must be from 1 to 256; got 0"),
        ("ab\tba\n", ("--steps", 0), "--steps must be from 1 to 1,000,000; got 0"),
        ("ab\tba\n", ("--part", "x"), "part must be"),
    ],
)
def test_what_cannot_be_is_one_line(
    run: Run,
    tmp_path: Path,
    lines: str,
    options: tuple[object, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pairs, file = tmp_path / "pairs.tsv", tmp_path / "own.safetensors"
    pairs.write_text(lines)
    assert call(monkeypatch, "adapt", run.folder, pairs, "-o", file, *options) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert not file.exists()


def test_places_that_cannot_be(
    run: Run,
    corrections: Path,
    adapter: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, "adapt", run.folder, corrections, "-o", corrections) == 2
    assert "--output must be another file than the pairs" in capsys.readouterr().err
    assert call(monkeypatch, "adapt", run.folder, corrections, "-o", tmp_path / "no" / "x") == 2
    assert "--output must be in a folder that exists" in capsys.readouterr().err
    arguments = ["predict", run.folder, corrections, "--adapter", adapter]
    assert call(monkeypatch, *arguments, "--ensemble", run.folder) == 2
    assert "--adapter must be given for one model" in capsys.readouterr().err


def test_long_corrections_are_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, pairs = tmp_path / "short", tmp_path / "pairs.tsv"
    shutil.copytree(run.folder, folder)
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(
        config.replace("max_target_length: null", "max_target_length: 3", 1)
    )
    pairs.write_text("ab\tba\nabc\tcba\n")
    assert call(monkeypatch, "adapt", folder, pairs, "-o", tmp_path / "own.safetensors") == 2
    assert "corrections must be no longer than" in capsys.readouterr().err


def test_a_shortlist_is_left_aside(run: Run, adapter: Path) -> None:
    trained = TrainedModel.load(run.folder, "cpu")
    trained.config = trained.config.updated({"search.shortlist": True})
    found = with_adapter(trained, run.folder, adapter)
    assert found.shortlist is None
    assert not found.config.search.shortlist
