"""An import that was killed can be repeated; a finished one, or another model, is left alone."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest
import torch

import transduce.commands.importing as importing
from transduce.config import Config
from transduce.errors import BusyError, ConfigError
from transduce.files import changing, locked
from transduce.pretrained.published_model import load_trained
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.trained import TrainedModel


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> TrainedModel:
    """What the published checkpoint becomes, whatever its path."""
    recurrent = {"kind": "gru", "width": 8}
    config = Config.from_mapping({"model": {"encoder": recurrent, "decoder": recurrent}})
    torch.manual_seed(1)
    sides = [Tokenizer.train(["ab", "ba"], config.tokenizer.source) for _ in range(2)]
    trained = TrainedModel.fresh(config, *sides)
    monkeypatch.setattr(importing, "read_pretrained", lambda path, **options: trained)
    return trained


def bring_in(output: Path) -> None:
    importing.import_model(Path("published"), output, None, None, legacy_weights=False)


def killed_on_the_way_home(model: TrainedModel, folder: Path, files: int) -> None:
    """As a kill while the files of a change that is committed go to their places."""
    real, left = Path.replace, [files]

    def replace(self: Path, target: Path) -> Path:
        left[0] -= self.parent.name == ".committed"
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            model.save(folder)


@pytest.mark.parametrize("files", range(6))
def test_what_a_kill_left_is_written_once_more(
    tmp_path: Path, model: TrainedModel, files: int
) -> None:
    output = tmp_path / "imported"
    killed_on_the_way_home(model, output, files)
    load_trained(output)
    bring_in(output)
    load_trained(output)
    assert not list(output.glob(".*"))


def test_half_an_import_is_no_model_and_no_hindrance(tmp_path: Path) -> None:
    output = tmp_path / "imported"
    (output / ".incoming-999999999-0").mkdir(parents=True)
    (output / ".incoming-999999999-0" / "config.yaml").write_text("half")
    bring_in(output)
    load_trained(output)
    assert not list(output.glob(".*"))


def test_a_finished_one_is_not_written_over(tmp_path: Path) -> None:
    bring_in(tmp_path / "imported")
    with pytest.raises(ConfigError, match="--output must be a new directory"):
        bring_in(tmp_path / "imported")


def test_what_a_kill_at_the_very_end_left_is_removed(tmp_path: Path) -> None:
    """All was at home: a second import is refused, and tidies up."""
    output = tmp_path / "imported"
    bring_in(output)
    whole = sorted(path.name for path in output.iterdir())
    left, kept = output / "..committed.999999999-3.part", output / ".of somebody"
    left.mkdir()
    (left / ".changes.json").write_text("{}")
    kept.touch()
    with pytest.raises(ConfigError, match="--output must be a new directory"):
        bring_in(output)
    kept.unlink()
    assert sorted(path.name for path in output.iterdir()) == whole


def test_a_model_that_was_being_replaced_is_not_written_over(
    tmp_path: Path, model: TrainedModel
) -> None:
    model.save(tmp_path / "mine")
    killed_on_the_way_home(model, tmp_path / "mine", 1)
    with pytest.raises(ConfigError, match="--output must be a new directory"):
        bring_in(tmp_path / "mine")


def test_of_two_imports_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "imported").mkdir()
    errors = []

    def other() -> None:
        try:
            bring_in(tmp_path / "imported")
        except BusyError as error:
            errors.append(error)

    with locked(tmp_path / "imported"):
        thread = Thread(target=other)
        thread.start()
        thread.join()
    assert len(errors) == 1
    with changing(tmp_path / "imported"):
        pass
