"""The weights of a published checkpoint: which tensors there are, each read when it is wanted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from transduce.errors import ModelError
from transduce.untrusted.json import read_object
from transduce.untrusted.pickles import PickledFile
from transduce.untrusted.tensors import TensorFile, require_finite

__all__ = ["StoredWeights", "weight_files"]

SAFE, LEGACY = "model.safetensors", "pytorch_model.bin"
_CACHED = "blobs"  # where the links of Hugging Face's cache lead


class _File(Protocol):
    @property
    def shapes(self) -> dict[str, tuple[int, ...]]: ...

    def read(self, name: str) -> Tensor: ...

    def close(self) -> None: ...


class StoredWeights:
    """Tensors by name, of one file or several. Bare models are saved without the ``model.`` that
    those with a head have before their names; here nobody has it.
    """

    def __init__(self, folder: Path, *, legacy: bool = False) -> None:
        """``legacy`` permits pytorch_model.bin. Raises ModelError naming the file."""
        self.folder = folder
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.stored: dict[str, tuple[int, ...]] = {}  # by their whole names
        self._where: dict[str, tuple[_File, str]] = {}
        self._open: list[_File] = []
        name, paths = weight_files(folder)
        if name == LEGACY and not legacy:
            raise ModelError(
                f"{folder}: weights must be safetensors; got {LEGACY}, a pickle, which is read as "
                "data, tensors alone, with legacy_weights=True (--legacy-weights)"
            )
        try:
            for path in paths:
                self._add(TensorFile(path) if name == SAFE else PickledFile(path))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Nothing can be taken any more."""
        for file in self._open:
            file.close()

    @property
    def largest(self) -> int:
        """Numbers of the largest tensor: no size of the model is beyond."""
        return max(map(math.prod, self.shapes.values()), default=0)

    def take(self, name: str) -> Tensor:
        """A tensor in float32, in memory of its own. Raises ModelError."""
        file, stored = self._where[name.removeprefix("model.")]
        return self._float(file.read(stored), stored)

    def take_stored(self, name: str) -> Tensor:
        """Likewise by its whole name; what is no float stays as it is."""
        tensor = self._where[name.removeprefix("model.")][0].read(name)
        return self._float(tensor, name) if tensor.is_floating_point() else tensor

    def _float(self, tensor: Tensor, stored: str) -> Tensor:
        if not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ModelError(
                f"{self.folder}: {stored} must be of a floating-point type; got {kind}"
            )
        whole = tensor.to(torch.float32)
        require_finite(f"{self.folder}: {stored}", whole)
        return whole

    def _add(self, file: _File) -> None:
        self._open.append(file)
        self.stored |= file.shapes
        for name, shape in file.shapes.items():
            bare = name.removeprefix("model.")
            if bare in self.shapes:
                raise ModelError(f"{self.folder}: weights must hold {bare} once; got it twice")
            self.shapes[bare] = shape
            self._where[bare] = file, name


def weight_files(folder: Path) -> tuple[str, list[Path]]:
    """The files of a directory's weights, and whether they are safetensors or pickles, by the name
    that one alone would have. Raises ModelError.
    """
    for name in (SAFE, LEGACY):
        if (folder / name).is_file():
            return name, [folder / name]
        if (folder / f"{name}.index.json").is_file():
            return name, _parts(folder, folder / f"{name}.index.json")
    raise ModelError(f"{folder}: weights must be in {SAFE}; there is no such file")


def _parts(folder: Path, index: Path) -> list[Path]:
    """The files that an index lists, which lie beside it."""
    shards = read_object(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise ModelError(f"{index} must hold a weight_map")
    names = sorted({str(shard) for shard in shards.values()})
    for shard in names:
        path = folder / shard
        if Path(shard).name != shard or not path.is_file() or not _within(folder, path):
            raise ModelError(f"{index}: weight_map must name files beside it; got {shard}")
    return [folder / shard for shard in names]


def _within(folder: Path, path: Path) -> bool:
    """Whether a link, if it is one, stays in the folder, or in the cache that the folder is of."""
    home, place = folder.resolve(), path.resolve().parent
    return place in (home, home.parent.parent / _CACHED)
