"""The directory of an export: new, or in the place of an earlier one. Needs no CTranslate2."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from small_transformers import transformer, untrained

import transduce.export.folder as export
from transduce.errors import BusyError, ConfigError, ModelError
from transduce.export.folder import export_trained
from transduce.files import SUMS, Sums, damaged, locked
from transduce.pretrained.published_model import read_pretrained
from transduce.workflow.trained import TrainedModel


@pytest.fixture(autouse=True)
def _written_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of the names that the package writes."""

    def write(model: Any, config: Any, source: Any, target: Any, folder: Path, kind: str) -> None:
        for name in ("model.bin", "config.json", "shared_vocabulary.json"):
            (folder / name).write_text(f"{name} {kind}")

    monkeypatch.setattr(export, "_write", write)


@pytest.fixture
def model() -> TrainedModel:
    return untrained(transformer({}, {}))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_files_have_checksums(tmp_path: Path, model: TrainedModel) -> None:
    export_trained(model, tmp_path / "out")
    sums = Sums.read(tmp_path / "out" / SUMS)
    names = set(content(tmp_path / "out")) - {SUMS}
    assert set(sums) == names > {"model.bin", "source.tokenizer.json", "target.tokenizer.json"}
    assert damaged(sums, [(name, tmp_path / "out" / name) for name in names]) is None


def test_damage_is_found_when_it_is_read_back(
    tmp_path: Path, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transduce.pretrained.published_model.is_ctranslate2", lambda path: True)
    monkeypatch.setattr(
        "transduce.pretrained.published_model.read_ctranslate2", lambda *given: model
    )
    export_trained(model, tmp_path / "out")
    assert read_pretrained(tmp_path / "out") is model
    (tmp_path / "out" / "model.bin").write_text("other")
    with pytest.raises(ModelError, match=r"model\.bin must be the file that was saved; its check"):
        read_pretrained(tmp_path / "out")
    (tmp_path / "out" / SUMS).write_text("SHA256 (model.bin) = of somebody else\n")
    assert read_pretrained(tmp_path / "out") is model


def test_over_an_earlier_one(tmp_path: Path, model: TrainedModel) -> None:
    export_trained(model, tmp_path / "out")
    before = content(tmp_path / "out")
    export_trained(model, tmp_path / "out", "int8")
    after = content(tmp_path / "out")
    assert after["model.bin"] == b"model.bin int8"
    assert after.keys() == before.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "training"])
def test_what_is_not_of_an_export_is_not_written_over(
    tmp_path: Path, model: TrainedModel, name: str
) -> None:
    export_trained(model, tmp_path / "out")
    (tmp_path / "out" / name).write_text("of somebody")
    before = content(tmp_path / "out")
    with pytest.raises(ConfigError, match=r"--output must be a new directory.* holds files"):
        export_trained(model, tmp_path / "out")
    assert content(tmp_path / "out") == before


def test_a_model_of_ours_is_not_written_over(tmp_path: Path, model: TrainedModel) -> None:
    model.save(tmp_path / "model")
    with pytest.raises(ConfigError, match=r"--output must be a new directory.* holds files"):
        export_trained(model, tmp_path / "model")


def test_an_error_leaves_the_earlier_one(
    tmp_path: Path, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_trained(model, tmp_path / "out")
    before = content(tmp_path / "out")

    def full(*arguments: Any) -> None:
        (arguments[4] / "model.bin").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_write", full)
    for name in ("out", "new"):
        with pytest.raises(OSError, match="No space left") as caught:
            export_trained(model, tmp_path / name)
        assert caught.value.filename == str(tmp_path / name)
    assert content(tmp_path / "out") == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_of_two_exports_one_is_refused(tmp_path: Path, model: TrainedModel) -> None:
    (tmp_path / "out").mkdir()
    errors = []

    def other() -> None:
        try:
            export_trained(model, tmp_path / "out")
        except BusyError as error:
            errors.append(str(error))

    with locked(tmp_path / "out"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(errors) == 1
    assert content(tmp_path / "out") == {}
