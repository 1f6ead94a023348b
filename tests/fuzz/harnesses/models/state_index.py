"""The index of decoder states."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch

from fuzz.harness import Files, Harness, WrongAnswerError, lay
from fuzz.mutations.tensors import tensor_file
from transduce.neighbours import Nearest, StateIndex


def _samples() -> list[Files]:
    torch.manual_seed(0)
    tensors = {
        "states": torch.randn(6, 4).half(),
        "tokens": torch.tensor([4, 5, 3, 4, 6, 3], dtype=torch.int32),
        "pairs": torch.tensor([0, 0, 0, 1, 1, 1], dtype=torch.int32),
        "steps": torch.tensor([0, 1, 2, 0, 1, 2], dtype=torch.int32),
        "texts": torch.tensor(list(b'[["ab","ba"],["c\\u00e9","d"]]'), dtype=torch.uint8),
        "fingerprint": torch.arange(32, dtype=torch.uint8),
    }
    return [{"index": safetensors.torch.save(tensors)}]


def feed(files: Files, folder: Path) -> object:
    """Read, and look for neighbours of something."""
    lay(files, folder)
    index = StateIndex.load(folder / "index")
    width = index.states.shape[1]
    distances, places = Nearest(index)(torch.zeros(1, width), 3)
    if not torch.isfinite(distances).all() or places.min() < 0 or places.max() >= len(index):
        raise WrongAnswerError("neighbours must be places of the index")
    for place in places[0].tolist():
        index.texts[int(index.pairs[place])]
    return len(index), width, len(index.texts)


HARNESS = Harness("state-index", _samples, {"*": tensor_file}, feed, quick=100)
