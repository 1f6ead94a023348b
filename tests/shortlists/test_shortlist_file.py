"""Files of shortlists: written, read back, and refused where they are none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from transduce.errors import ModelError
from transduce.files import changing
from transduce.models.seq2seq import OutputLayer, Seq2Seq
from transduce.search import Shortlist
from transduce.shortlists import SHORTLIST, shortlist_of, write_shortlist

OTHERS = np.array([0.5, -1.0, 2.0], dtype=np.float32)
OWN = Shortlist(np.array([0, 0, 2, 3]), np.array([5, 7, 6]), np.array([4, 8]), 9, OTHERS)


@dataclass
class OfSize:
    """As much of a model as the file is checked against."""

    output: OutputLayer


MODEL = cast(Seq2Seq, OfSize(OutputLayer(2, 9, None)))


def test_written_and_read(tmp_path: Path) -> None:
    with changing(tmp_path) as change:
        write_shortlist(change, OWN)
    read = shortlist_of(tmp_path, 3, MODEL)
    assert read is not None
    for name in ("offsets", "tokens", "always", "size", "unlisted"):
        assert np.array_equal(getattr(read, name), getattr(OWN, name))
    with changing(tmp_path) as change:
        write_shortlist(change, replace(OWN, unlisted=None))
    read = shortlist_of(tmp_path, 3, MODEL)
    assert read is not None
    assert read.unlisted is None
    with changing(tmp_path) as change:
        write_shortlist(change, None)
    assert shortlist_of(tmp_path, 3, MODEL) is None


GOOD = {
    "always": torch.tensor([4, 8], dtype=torch.int32),
    "offsets": torch.tensor([0, 0, 2, 3]),
    "tokens": torch.tensor([5, 7, 6], dtype=torch.int32),
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tokens": None}, "tensors must be always, offsets, tokens; got always, offsets"),
        ({"more": torch.zeros(2)}, "tensors must be always, offsets, tokens; got always, more"),
        ({"tokens": torch.tensor([5, 7, 6])}, "tokens must be numbers of type int32; got int64"),
        (
            {"always": torch.zeros(1, 2, dtype=torch.int32)},
            r"always must be .*; got int32 \[1, 2\]",
        ),
        ({"offsets": torch.tensor([0, 2, 3])}, "offsets must be 4, as its source symbols; got 3"),
        ({"offsets": torch.tensor([0, 2, 1, 3])}, "offsets must rise from 0 to 3"),
        ({"offsets": torch.tensor([1, 1, 2, 3])}, "offsets must rise from 0 to 3"),
        ({"offsets": torch.tensor([0, 1, 2, 2**62])}, "offsets must rise from 0 to 3"),
        (
            {"tokens": torch.tensor([5, 9, 6], dtype=torch.int32)},
            "tokens must be .* below 9; got 9",
        ),
        ({"always": torch.tensor([-1], dtype=torch.int32)}, "always must be at least 0.*; got -1"),
        ({"unlisted": torch.zeros(4)}, "unlisted must be 3 numbers, .*; got 4"),
        ({"unlisted": torch.zeros(3).half()}, "unlisted must be .* float32; got float16"),
        (
            {"unlisted": torch.tensor([0.0, torch.nan, 0.0])},
            "unlisted must be finite numbers; got NaN",
        ),
    ],
)
def test_what_is_none_is_refused(
    tmp_path: Path, changed: dict[str, torch.Tensor | None], said: str
) -> None:
    tensors = {name: t for name, t in {**GOOD, **changed}.items() if t is not None}
    save_file(tensors, tmp_path / SHORTLIST)
    with pytest.raises(ModelError, match=f"{SHORTLIST}: {said}"):
        shortlist_of(tmp_path, 3, MODEL)


def test_no_tensors_at_all(tmp_path: Path) -> None:
    (tmp_path / SHORTLIST).write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="must be a readable safetensors file"):
        shortlist_of(tmp_path, 3, MODEL)


def test_an_empty_one_is_one(tmp_path: Path) -> None:
    empty = torch.zeros(0, dtype=torch.int32)
    save_file(
        {"always": empty, "offsets": torch.zeros(4).long(), "tokens": empty}, tmp_path / SHORTLIST
    )
    read = shortlist_of(tmp_path, 3, MODEL)
    assert read is not None
    assert not read.tokens.size
