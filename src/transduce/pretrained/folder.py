"""A published checkpoint in its directory: config.json, weights, what its tokenizer needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from transduce.errors import ModelError

__all__ = ["Checkpoint", "read_json"]

_SAFE, _LEGACY = "model.safetensors", "pytorch_model.bin"


class Checkpoint:
    """A directory as Hugging Face transformers saves it, read by the names of its files alone.

    ``config`` is config.json, ``generation`` generation_config.json where there is one (older
    checkpoints keep such options in config.json).
    """

    def __init__(
        self,
        folder: Path,
        *,
        legacy_weights: bool = False,
        source_language: str | None = None,
        target_language: str | None = None,
    ) -> None:
        """``legacy_weights`` permits pytorch_model.bin, read by torch's restricted unpickler.
        The languages are for models of many; None: as the checkpoint says.

        Raises ModelError naming what is missing or broken.
        """
        self.folder = folder
        self.source_language = source_language
        self.target_language = target_language
        if not folder.is_dir():
            raise ModelError(f"model must be a directory that exists; got {folder}")
        self.config = read_json(folder / "config.json")
        self.generation: dict[str, Any] = {}
        if (folder / "generation_config.json").is_file():
            self.generation = read_json(folder / "generation_config.json")
        self._weights = _read_weights(folder, legacy_weights)
        self._taken: set[str] = set()

    @property
    def family(self) -> str:
        """``model_type`` of config.json."""
        return str(self.config.get("model_type") or "")

    def option(self, name: str, default: Any = None) -> Any:
        """An option of config.json; ``default`` where it is missing or null."""
        value = self.config.get(name)
        return default if value is None else value

    def number(self, name: str, default: int | None = None) -> int:
        """An option that must be a number. Raises ModelError."""
        value = self.option(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ModelError(f"{self.folder / 'config.json'}: {name} must be a number; got {value}")
        return value

    def symbol(self, name: str, default: int, size: int) -> int:
        """An option that must be the number of one of ``size`` symbols. Raises ModelError."""
        number = self.number(name, default)
        if not 0 <= number < size:
            raise ModelError(
                f"{self.folder / 'config.json'}: {name} must be below the vocabulary's size "
                f"({size}); got {number}"
            )
        return number

    def choice(self, name: str, among: Mapping[Any, str], default: Any) -> str:
        """What an option stands for among ours. Raises ModelError for what we do not have."""
        value = self.option(name, default)
        if value not in among:
            known = ", ".join(map(str, among))
            raise ModelError(
                f"{self.folder / 'config.json'}: {name} must be one of {known}; got {value}"
            )
        return among[value]

    def require(self, name: str, wanted: Any, default: Any) -> None:
        """Raise ModelError where an option has another value than the one we can hold."""
        value = self.option(name, default)
        if value != wanted:
            raise ModelError(f"{self.folder / 'config.json'}: {name} must be {wanted}; got {value}")

    # ------------------------------------------------ weights

    def has(self, name: str) -> bool:
        """Whether there is a tensor of this name."""
        return _bare(name) in self._weights

    def take(self, name: str, *, shape: tuple[int, ...] | None = None) -> Tensor:
        """A tensor in float32. Raises ModelError where there is none, or of another shape."""
        key = _bare(name)
        if key not in self._weights:
            raise ModelError(f"{self.folder}: weights must hold {name}; they do not")
        self._taken.add(key)
        tensor = self._weights[key].float()
        if shape is not None and tuple(tensor.shape) != shape:
            raise ModelError(
                f"{self.folder}: {name} must be of shape {list(shape)}; got {list(tensor.shape)}"
            )
        return tensor

    def refuse_rest(self, *, but: tuple[str, ...] = ()) -> None:
        """Raise ModelError where weights are left over that nobody asked for.

        Those that end like one of ``but`` say nothing new.
        """
        rest = sorted(self._weights.keys() - self._taken)
        unknown = [name for name in rest if not name.endswith(but)] if but else rest
        if unknown:
            raise ModelError(
                f"{self.folder}: weights must be those of a {self.family}; "
                f"got an unknown {unknown[0]}"
            )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ModelError naming the file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"model must be a directory with {path.name}; got {path.parent}, which has none"
        ) from None
    except (OSError, ValueError):
        raise ModelError(f"{path} must be readable JSON") from None
    if not isinstance(value, dict):
        raise ModelError(f"{path} must hold a JSON object; got another value")
    return value


def _bare(name: str) -> str:
    """Bare models are saved without the ``model.`` that those with a head have before it."""
    return name.removeprefix("model.")


def _read_weights(folder: Path, legacy: bool) -> dict[str, Tensor]:
    for name, permitted in ((_SAFE, True), (_LEGACY, legacy)):
        files = _files(folder, name)
        if files and permitted:
            read = _read_safe if name == _SAFE else _read_legacy
            return {_bare(key): tensor for file in files for key, tensor in read(file).items()}
        if files:
            raise ModelError(
                f"{folder}: weights must be safetensors; got {name}, a pickle, which is read with "
                "legacy_weights=True (--legacy-weights) by torch's restricted unpickler"
            )
    raise ModelError(f"{folder}: weights must be in {_SAFE}; there is no such file")


def _files(folder: Path, name: str) -> list[Path]:
    """The file of this name, or the parts that its index lists."""
    if (folder / name).is_file():
        return [folder / name]
    index = folder / f"{name}.index.json"
    if not index.is_file():
        return []
    parts = read_json(index).get("weight_map")
    if not isinstance(parts, dict):
        raise ModelError(f"{index} must hold a weight_map")
    names = sorted({str(part) for part in parts.values()})
    for part in names:
        if Path(part).name != part or not (folder / part).is_file():
            raise ModelError(f"{index}: weight_map must name files beside it; got {part}")
    return [folder / part for part in names]


def _read_safe(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path}: weights must be a readable safetensors file; got {error}"
        ) from None


def _read_legacy(path: Path) -> dict[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # the library raises nothing more exact
        raise ModelError(f"{path}: weights must be a readable file of tensors alone") from None
    if not isinstance(found, dict) or not all(isinstance(t, Tensor) for t in found.values()):
        raise ModelError(f"{path}: weights must be a readable file of tensors alone")
    return found
