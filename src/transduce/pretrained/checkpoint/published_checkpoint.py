"""A published checkpoint in its directory: config.json, weights, what its tokenizer needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from transduce.errors import ModelError
from transduce.pretrained.checkpoint.stored import StoredWeights
from transduce.untrusted.json import read_object

__all__ = ["PublishedCheckpoint", "read_json"]


class PublishedCheckpoint:
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
        """``legacy_weights`` permits pytorch_model.bin, read as data, tensors alone.
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
        self.weights = StoredWeights(folder, legacy=legacy_weights)
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
            raise ModelError(f"{self._place}: {name} must be a number; got {value}")
        return value

    def size(self, name: str, default: int | None = None) -> int:
        """An option that counts what the model's tensors hold. Raises ModelError."""
        number, most = self.number(name, default), self.weights.largest
        if not 0 < number <= most:
            raise ModelError(
                f"{self._place}: {name} must be 1 to {most:,}, the numbers of the largest tensor; "
                f"got {number}"
            )
        return number

    def symbol(self, name: str, default: int, size: int) -> int:
        """An option that must be the number of one of ``size`` symbols. Raises ModelError."""
        number = self.number(name, default)
        if not 0 <= number < size:
            raise ModelError(
                f"{self._place}: {name} must be below the vocabulary's size ({size}); got {number}"
            )
        return number

    def choice(self, name: str, among: Mapping[Any, str], default: Any) -> str:
        """What an option stands for among ours. Raises ModelError for what we do not have."""
        value = self.option(name, default)
        if not isinstance(value, str | int) or value not in among:
            known = ", ".join(map(str, among))
            raise ModelError(f"{self._place}: {name} must be one of {known}; got {value}")
        return among[value]

    def require(self, name: str, wanted: Any, default: Any) -> None:
        """Raise ModelError where an option has another value than the one we can hold."""
        value = self.option(name, default)
        if value != wanted:
            raise ModelError(f"{self._place}: {name} must be {wanted}; got {value}")

    @property
    def _place(self) -> Path:
        return self.folder / "config.json"

    # ------------------------------------------------ weights

    def has(self, name: str) -> bool:
        """Whether there is a tensor of this name."""
        return name.removeprefix("model.") in self.weights.shapes

    def take(self, name: str) -> Tensor:
        """A tensor in float32. Raises ModelError where there is none, or one with a NaN."""
        key = name.removeprefix("model.")
        if key not in self.weights.shapes:
            raise ModelError(f"{self.folder}: weights must hold {name}; they do not")
        self._taken.add(key)
        return self.weights.take(key)

    def take_tied(self, *names: str) -> Tensor:
        """A tensor that has several names, stored under one of them or more.

        Raises ModelError where there is none, or where two of them are not the same.
        """
        first, *others = [name for name in names if self.has(name)] or names[:1]
        tensor = self.take(first)
        for other in others:
            if not torch.equal(tensor, self.take(other)):
                raise ModelError(
                    f"{self.folder}: {first} and {other} must be the same; they differ"
                )
        return tensor

    def take_table(self, name: str, *names: str) -> Tensor:
        """Likewise a table with one row a symbol, as ``vocab_size`` says. Raises ModelError."""
        table = self.take_tied(name, *names)
        rows = len(table) if table.dim() else 0
        if self.number("vocab_size", rows) != rows:
            raise ModelError(
                f"{self.folder}: {name} must have {self.option('vocab_size')} rows; got {rows}"
            )
        return table

    def refuse_rest(self, *, but: tuple[str, ...] = ()) -> None:
        """Raise ModelError where weights are left over that nobody asked for.

        Those that end like one of ``but`` say nothing new, yet must be numbers.
        """
        rest = sorted(self.weights.shapes.keys() - self._taken)
        unknown = [name for name in rest if not name.endswith(but)] if but else rest
        if unknown:
            raise ModelError(
                f"{self.folder}: weights must be those of a {self.family}; "
                f"got an unknown {unknown[0]}"
            )
        for name in rest:
            self.weights.take(name)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ModelError naming the file."""
    if not path.exists():
        raise ModelError(
            f"model must be a directory with {path.name}; got {path.parent}, which has none"
        )
    return read_object(path)
