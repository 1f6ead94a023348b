"""A trained model as the bytes of its files: what pickles and deep copies are made of."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from transduce.errors import ModelError
from transduce.pretrained.published_model import load_trained
from transduce.workflow.trained import TrainedModel

__all__ = ["ModelFiles"]


@dataclass(frozen=True)
class ModelFiles:
    """The files of a model directory by name, and the device that the model was on.

    In a pickle there is nothing else of a model: reading it back goes through the same checks as
    a directory does.
    """

    files: dict[str, bytes]
    device: str

    @classmethod
    def of(cls, trained: TrainedModel) -> ModelFiles:
        """What ``trained.save`` writes."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "model"
            trained.save(folder)
            paths = sorted(path for path in folder.rglob("*") if path.is_file())
            files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        return cls(files, str(trained.model.device))

    def load(self) -> TrainedModel:
        """The model, where its device is not here on another one. Raises ModelError."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "model"
            for file, content in self.files.items():
                path = (folder / file).resolve()
                if not path.is_relative_to(folder.resolve()):
                    raise ModelError(f"file of a model must lie in its folder; got {file!r}")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            try:
                return load_trained(folder, self.device)
            except ModelError as error:
                if not str(error).startswith("device must"):
                    raise
                return load_trained(folder, "auto")
