from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import transduce.training.record.checkpoint as checkpoint_module
from transduce.errors import CheckpointError
from transduce.files import SUMS, damaged
from transduce.training.record.checkpoint import (
    Checkpoint,
    has_checkpoint,
    newest_checkpoint,
    publish_best,
    require_room,
    write_checkpoint,
)


def write(training: Path, step: int, best: float | None = None) -> Checkpoint:
    groups = {"weights": {"w": torch.full((2,), float(step))}, "average": {}}
    best_weights = None if best is None else {"w": torch.full((2,), best)}
    return write_checkpoint(training, step, {"step": step}, groups, best_weights)


def names(training: Path) -> list[str]:
    return sorted(path.name for path in training.iterdir())


def full_disk(*arguments: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_reads_back_what_it_wrote(tmp_path: Path) -> None:
    written = write(tmp_path, 3, best=0.5)
    read = newest_checkpoint(tmp_path)
    assert read == written
    assert read.state() == {"step": 3}
    assert torch.equal(read.tensors("weights")["w"], torch.tensor([3.0, 3.0]))
    assert read.tensors("average") == {}


def test_holds_no_pickle(tmp_path: Path) -> None:
    paths = set(write(tmp_path, 1, best=0.0).path.iterdir())
    [sums] = [path for path in paths if path.name == "SHA256SUMS"]
    assert {path.suffix for path in paths - {sums}} == {".safetensors", ".json"}


def test_keeps_the_newest_two(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        write(tmp_path, step)
    assert names(tmp_path) == ["checkpoint-00000002", "checkpoint-00000010"]


def test_numbers_beyond_eight_digits_are_newer(tmp_path: Path) -> None:
    write(tmp_path, 99_999_999)
    write(tmp_path, 100_000_000)
    assert newest_checkpoint(tmp_path).state() == {"step": 100_000_000}


def test_best_weights_are_handed_on(tmp_path: Path) -> None:
    for step, best in ((1, 7.0), (2, None), (3, None), (4, None)):
        last = write(tmp_path, step, best)
    publish_best(last, tmp_path / "model.safetensors")
    assert torch.equal(Checkpoint(tmp_path).tensors("model")["w"], torch.tensor([7.0, 7.0]))


def test_best_weights_are_copied_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", full_disk)
    write(tmp_path, 1, 7.0)
    assert torch.equal(write(tmp_path, 2).tensors("best")["w"], torch.tensor([7.0, 7.0]))


def test_half_written_ones_are_ignored_and_removed(tmp_path: Path) -> None:
    write(tmp_path, 1)
    shutil.copytree(tmp_path / "checkpoint-00000001", tmp_path / ".incomplete-00000002")
    assert newest_checkpoint(tmp_path).state() == {"step": 1}
    write(tmp_path, 3)
    assert names(tmp_path) == ["checkpoint-00000001", "checkpoint-00000003"]


def test_the_same_step_is_replaced(tmp_path: Path) -> None:
    write(tmp_path, 1)
    write(tmp_path, 1, best=2.0)
    assert names(tmp_path) == ["checkpoint-00000001"]
    assert newest_checkpoint(tmp_path).best is not None


@pytest.mark.parametrize("writer", ["_write_tensors", "_write_bytes", "_sync", "sync_folder"])
def test_full_disk_keeps_the_last_good_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    write(tmp_path, 1)
    monkeypatch.setattr(checkpoint_module, writer, full_disk)
    with pytest.raises(
        CheckpointError, match=r"No space left on device.*last good .*checkpoint-00000001"
    ):
        write(tmp_path, 2)
    monkeypatch.undo()
    assert newest_checkpoint(tmp_path).state() == {"step": 1}
    assert not list(tmp_path.glob(".incomplete-*"))
    assert write(tmp_path, 2).state() == {"step": 2}


def test_full_disk_at_publishing_keeps_the_old_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"old")
    last = write(tmp_path, 1, best=1.0)
    monkeypatch.setattr(shutil, "copyfile", full_disk)
    with pytest.raises(CheckpointError, match="No space left on device"):
        publish_best(last, model)
    assert model.read_bytes() == b"old"


def test_too_little_room_is_said_in_advance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_room(tmp_path / "training", 1000)
    usage = shutil.disk_usage(tmp_path)._replace(free=5_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(CheckpointError, match=r"must have about 30 MB free.* got 5 MB"):
        require_room(tmp_path / "training", 30_000_000)


def test_unwritable_folder_is_said_in_advance(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="must be a writable directory; got: Not a directory"):
        require_room(tmp_path / "file" / "training", 1)


@pytest.mark.parametrize("damage", [b"", b"[1", b"[1]", b"\xff"])
def test_damaged_state_names_the_file(tmp_path: Path, damage: bytes) -> None:
    path = write(tmp_path, 1).path
    (path / "state.json").write_bytes(damage)
    with pytest.raises(CheckpointError, match=r"state\.json must be readable"):
        Checkpoint(path).state()


def test_damaged_tensors_name_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, 1).path
    (path / "weights.safetensors").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match=r"weights\.safetensors must be readable"):
        Checkpoint(path).tensors("weights")


def test_has_checkpoint_looks_into_a_model_directory(tmp_path: Path) -> None:
    assert not has_checkpoint(tmp_path)
    write(tmp_path / "training", 1)
    assert has_checkpoint(tmp_path)


# ---------------------------------------------------------------- checksums


def test_each_file_has_a_checksum(tmp_path: Path) -> None:
    checkpoint = write(tmp_path, 1, best=0.5)
    names = {path.name for path in checkpoint.path.iterdir()} - {SUMS}
    assert set(checkpoint.sums()) == names
    assert damaged(checkpoint.sums(), [(name, checkpoint.path / name) for name in names]) is None
    again = write(tmp_path, 2)  # which has the best weights by a link
    assert again.sums()["best.safetensors"] == checkpoint.sums()["best.safetensors"]


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["weights.safetensors", "state.json"])
def test_damage_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    write(tmp_path, 1)
    checkpoint = write(tmp_path, 2)
    flip_a_bit(checkpoint.path / name)
    with pytest.raises(
        CheckpointError,
        match=r"must be readable to resume; got: another content than SHA256SUMS says\. "
        r"Remove .*checkpoint-00000002 to go on from the checkpoint before it",
    ):
        checkpoint.state() if name == "state.json" else checkpoint.tensors("weights")
    shutil.rmtree(checkpoint.path)
    assert newest_checkpoint(tmp_path).state() == {"step": 1}


def test_damaged_best_weights_do_not_become_the_model(tmp_path: Path) -> None:
    checkpoint = write(tmp_path / "training", 1, best=0.5)
    (tmp_path / "model.safetensors").write_bytes(b"old")
    flip_a_bit(checkpoint.best)
    with pytest.raises(CheckpointError, match=r"best\.safetensors must be readable to resume"):
        publish_best(checkpoint, tmp_path / "model.safetensors")
    assert (tmp_path / "model.safetensors").read_bytes() == b"old"


def test_damaged_sums_are_said(tmp_path: Path) -> None:
    checkpoint = write(tmp_path, 1, best=1.0)
    (checkpoint.path / SUMS).write_text("nonsense")
    with pytest.raises(
        CheckpointError, match=r"SHA256SUMS must be readable to resume; got: .*line 1"
    ):
        checkpoint.tensors("weights")
    assert set(write(tmp_path, 2).sums()) > {"best.safetensors"}  # the run itself goes on


def test_one_of_before_there_were_checksums(tmp_path: Path) -> None:
    checkpoint = write(tmp_path, 1, best=1.0)
    (checkpoint.path / SUMS).unlink()
    assert checkpoint.state() == {"step": 1}
    assert checkpoint.tensors("weights")["w"].tolist() == [1.0, 1.0]
    publish_best(checkpoint, tmp_path / "model.safetensors")
    assert set(write(tmp_path, 2).sums()) > {"best.safetensors"}


def test_files_may_be_read_by_whom_the_umask_says(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        checkpoint = write(tmp_path, 1, best=1.0)
        publish_best(checkpoint, tmp_path / "model.safetensors")
    finally:
        os.umask(mask)
    files = [*checkpoint.path.iterdir(), tmp_path / "model.safetensors"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o644}


def test_what_others_left_half_written_is_removed(tmp_path: Path) -> None:
    litter = [
        tmp_path / ".incoming-999999999-0",
        tmp_path / "training" / ".incomplete-00000004",
        tmp_path / ".attention.png.999999999-3.part",
        tmp_path / "training" / ".plot.png.999999999.part",
    ]
    for path in litter:
        path.mkdir(parents=True) if path.suffix != ".part" else path.write_text("half")
    require_room(tmp_path / "training", 1)
    assert not [path for path in litter if path.exists()]
