"""A model directory is the old model or the new one, and the one that was saved."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import transduce.workflow.model_folder as folder_module
from small_runs import tiny, train_tiny, words, write_reversals
from transduce import Transducer
from transduce.config import Config
from transduce.errors import BusyError, ModelError
from transduce.files import SUMS, Sums, locked
from transduce.models.storage import named_weights
from transduce.pretrained.published_model import load_trained
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.trained import TrainedModel

WEIGHTS = "model.safetensors"


def untrained(seed: int = 1, width: int = 8) -> TrainedModel:
    recurrent = {"kind": "gru", "width": width, "dropout": 0.0}
    config = Config.from_mapping(
        {"model": {"encoder": recurrent, "decoder": recurrent}, "search": {"max_length": 4}}
    )
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdefgh", k=3)) for _ in range(40)]
    torch.manual_seed(seed)
    sides = (
        Tokenizer.train(words, config.tokenizer.source),
        Tokenizer.train(words, config.target_tokenizer),
    )
    return TrainedModel.fresh(config, *sides)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    untrained().save(tmp_path / "model")
    return tmp_path / "model"


def test_the_sums_are_of_what_makes_the_answers(folder: Path) -> None:
    listed = set(Sums.read(folder / SUMS) or ())
    assert listed == {"config.yaml", WEIGHTS, "source.tokenizer.json", "target.tokenizer.json"}
    if shutil.which("sha256sum"):
        command = ["sha256sum", "--quiet", "--strict", "-c", SUMS]
        subprocess.run(command, cwd=folder, check=True)


def test_weights_may_be_read_by_whom_the_umask_says(tmp_path: Path) -> None:
    """The library that writes them makes files for their owner alone."""
    mask = os.umask(0o022)
    try:
        untrained().save(tmp_path / "model")
    finally:
        os.umask(mask)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "model").iterdir()}
    assert set(modes.values()) == {0o644}, modes


# ---------------------------------------------------------------- damage


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def swap_two_tensors(path: Path) -> None:
    weights = load_file(path)
    first, second = next(
        (a, b)
        for a in weights
        for b in weights
        if a < b and weights[a].shape == weights[b].shape and weights[a].ne(weights[b]).any()
    )
    weights[first], weights[second] = weights[second], weights[first]
    save_file(weights, path, metadata={"format": "pt"})


def put_another(path: Path) -> None:
    other = path.parent.parent / "other"
    untrained(2).save(other)
    shutil.copyfile(other / path.name, path)


@pytest.mark.parametrize("damage", [flip_a_bit, swap_two_tensors, put_another])
def test_other_weights_are_refused_in_a_line(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder / WEIGHTS)
    with pytest.raises(ModelError) as caught:
        load_trained(folder)
    assert str(caught.value) == (
        f"{folder / WEIGHTS} must be the file that was saved; its checksum is not that of "
        f"{SUMS}: copy the model again (or remove {SUMS}, if the file was changed on purpose)"
    )


@pytest.mark.parametrize("name", ["source.tokenizer.json", "target.tokenizer.json"])
def test_another_tokenizer_is_refused(folder: Path, name: str) -> None:
    put_another(folder / name)
    with pytest.raises(
        ModelError, match=r"tokenizer\.json must be the file that was saved|is not what was"
    ):
        Transducer.load(folder)


def test_what_cannot_be_read_is_said_to_be_damaged(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"cut off")
    with pytest.raises(
        ModelError, match=r"readable safetensors file.*SHA256SUMS: model\.safetensors is not what"
    ):
        load_trained(folder)


def test_what_is_large_is_not_read_to_the_end_for_an_explanation(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"\xff" * 16)
    os.truncate(folder / WEIGHTS, 1 << 40)  # sparse
    with pytest.raises(ModelError):
        load_trained(folder)


def test_names_that_lead_elsewhere_are_not_followed(folder: Path) -> None:
    """Nor is what never ends read: a list may come from anybody."""
    with (folder / SUMS).open("a") as sums:
        sums.write(f"{'0' * 64}  ../../dev/zero\n{'0' * 64}  /dev/zero\n")
    load_trained(folder)


def test_a_directory_that_is_no_model_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "paper.pdf").write_text("x")
    (tmp_path / "source.old.tokenizer.json").write_text("x")
    untrained().save(tmp_path)
    assert (tmp_path / "published" / "paper.pdf").exists()
    untrained().save(tmp_path)
    assert (tmp_path / "published" / "paper.pdf").exists()


def test_on_purpose_is_possible(folder: Path) -> None:
    put_another(folder / WEIGHTS)
    (folder / SUMS).unlink()
    load_trained(folder)


def test_a_config_may_be_edited_by_hand(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "transduce")
    load_trained(folder)
    assert not caplog.messages
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("max_length: 4", "max_length: 7"))
    assert load_trained(folder).config.search.max_length == 7
    assert caplog.messages == [f"{config} was changed since it was saved"]


def test_a_report_may_be_another(folder: Path) -> None:
    (folder / "report.json").write_text('{"name": "of mine"}')
    assert load_trained(folder).report == {"name": "of mine"}


@pytest.mark.parametrize("content", ["nonsense\n", "\0" * 40])
def test_a_damaged_list_is_said(folder: Path, content: str) -> None:
    (folder / SUMS).write_text(content)
    with pytest.raises(ModelError, match="SHA256SUMS, line 1 must be one of sha256sum"):
        load_trained(folder)


def test_what_is_not_listed_is_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    sums = folder / SUMS
    lines = [line for line in sums.read_text().splitlines(True) if WEIGHTS not in line]
    sums.write_text("".join(lines))
    load_trained(folder)
    assert caplog.messages == [f"{sums} does not list {WEIGHTS}: damage would not be noticed"]


# ---------------------------------------------------------------- directories of before


def test_an_old_directory_opens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Written by hand, file by file, as they were before there were checksums."""
    model, folder = untrained(), tmp_path / "model"
    folder.mkdir()
    (folder / "config.yaml").write_text(model.config.to_yaml())
    (folder / "source.tokenizer.json").write_text(model.source_tokenizer.to_json())
    (folder / "target.tokenizer.json").write_text(model.target_tokenizer.to_json())
    save_file(dict(named_weights(model.model)), folder / WEIGHTS, metadata={"format": "pt"})
    (folder / "report.json").write_text(json.dumps({"name": "old"}))
    loaded = Transducer.load(folder, "cpu")
    assert loaded.trained_.report == {"name": "old"}
    assert same(loaded.trained_, model)
    Transducer.load(folder, "cpu")
    assert caplog.messages == [  # once
        f"{folder} has no {SUMS}: damage would not be noticed; save the model anew"
    ]
    loaded.save(folder)
    assert set(Sums.read(folder / SUMS) or ()) > {WEIGHTS}
    assert same(load_trained(folder), model)


def same(one: TrainedModel, other: TrainedModel) -> bool:
    weights = [named_weights(trained.model) for trained in (one, other)]
    return (
        one.source_tokenizer.to_json() == other.source_tokenizer.to_json()
        and weights[0].keys() == weights[1].keys()
        and all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    )


# ---------------------------------------------------------------- readers and writers at once


def test_a_model_that_is_saved_while_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two files that a reader opens: it gets the old one or the new one."""
    models = [untrained(1), untrained(2)]
    real, calls = folder_module.place, [0]

    for moment in range(1, 30):
        models[0].save(folder)
        calls[0] = 0

        def place(where: Path, name: str, moment: int = moment) -> Path:
            found = real(where, name)
            calls[0] += 1
            if calls[0] == moment:
                models[1].save(folder)
            return found

        for module in ("model_folder", "trained", "tokenizer_files"):
            monkeypatch.setattr(f"transduce.workflow.{module}.place", place)
        loaded = load_trained(folder, "cpu")
        monkeypatch.undo()
        assert any(same(loaded, model) for model in models), moment
        if calls[0] < moment:
            break
    assert calls[0] >= 8  # each file was asked for


def test_two_that_save_at_once(folder: Path) -> None:
    with locked(folder):
        context = multiprocessing.get_context("fork")
        answers = context.Queue()
        process = context.Process(target=try_to_save, args=(folder, answers))
        process.start()
        said = answers.get(timeout=60)
        process.join()
    assert said.startswith(f"{folder} must be written by one at a time")
    untrained(2).save(folder)
    assert same(load_trained(folder), untrained(2))


def try_to_save(folder: Path, answers: multiprocessing.Queue[str]) -> None:
    try:
        untrained(2).save(folder)
        answers.put("saved")
    except BusyError as error:
        answers.put(str(error))


def test_a_failed_save_leaves_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transduce.models.storage.save_file", full)
    with pytest.raises(OSError, match="No space left") as caught:
        untrained().save(tmp_path / "model")
    assert caught.value.filename == str(tmp_path / "model" / WEIGHTS)
    assert list(tmp_path.iterdir()) == []


def test_a_tokenizer_of_both_sides_is_stored_once(tmp_path: Path) -> None:
    pairs = write_reversals(tmp_path / "pairs.tsv", words(1, 20))
    config = tiny({"train": pairs, "dev": pairs}, tokenizer={"shared": True})
    trained, _ = train_tiny(config, tmp_path / "model")
    folder = tmp_path / "model"
    assert not (folder / "target.tokenizer.json").exists()
    read = TrainedModel.load(folder, "cpu")
    assert read.source is read.target_tokenizer
    assert read.target_tokenizer.to_json() == trained.target_tokenizer.to_json()
    old = tmp_path / "old"  # as older versions wrote it: twice
    shutil.copytree(folder, old)
    shutil.copy(old / "source.tokenizer.json", old / "target.tokenizer.json")
    sums = Sums.read(old / SUMS)
    assert sums is not None
    sums["target.tokenizer.json"] = sums["source.tokenizer.json"]
    (old / SUMS).write_text(sums.to_text())
    assert TrainedModel.load(old, "cpu").other_side(read) is None
    (old / "target.tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"has no target\.tokenizer\.json"):
        TrainedModel.load(old, "cpu")


def test_a_report_has_a_list_of_numbers_on_one_line(tmp_path: Path) -> None:
    pairs = write_reversals(tmp_path / "pairs.tsv", words(1, 20))
    trained, _ = train_tiny(tiny({"train": pairs, "dev": pairs}), tmp_path / "model")
    odd = {"texts": ["[\n 1 ]", "{"], "numbers": [1, 2], "none": [], "rows": [{"a": [3]}]}
    trained.report = {**trained.report, "odd": odd}
    trained.save_report(tmp_path / "model")
    text = (tmp_path / "model" / "report.json").read_text()
    assert json.loads(text) == json.loads(json.dumps(trained.report))
    assert '"numbers": [1, 2]' in text
