"""What must be the same for a run to go on from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from transduce.config import TrainingConfig
from transduce.errors import CheckpointError

__all__ = ["RunIdentity"]

# What may differ between a run and its continuation; a checkpoint refuses all else.
_MAY_CHANGE = frozenset(
    {
        "max_minutes",
        "max_steps",
        "max_epochs",
        "evaluate_every",
        "checkpoint_every",
        "patience",
        "dev_sentences",
        "tensorboard",
        "device",
        "threads",
        "teacher_folder",
    }
)


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """The training section with what its ``auto`` came to, data and model, and the processes."""

    config: dict[str, Any]
    fingerprint: str
    processes: int

    @classmethod
    def of(cls, config: TrainingConfig, precision: str, fingerprint: str, processes: int) -> Self:
        """The identity of a run that is about to begin."""
        return cls(
            {**config.model_dump(mode="json"), "precision": precision}, fingerprint, processes
        )

    def refuse_other(self, state: Mapping[str, Any], path: Path) -> None:
        """Raise CheckpointError, saying what differs, unless ``state`` is of the same run.

        Of an option that came later than the checkpoint the run had what is now its default.
        """
        before = {**TrainingConfig().model_dump(mode="json"), **state["config"]}
        for name, value in self.config.items():
            if name not in _MAY_CHANGE and before[name] != value:
                raise CheckpointError(
                    f"training.{name} must be {before[name]} to resume from {path}; got {value}"
                )
        if state["fingerprint"] != self.fingerprint:
            raise CheckpointError(
                f"data and model must be the same to resume from {path}; got others (fingerprint "
                f"{self.fingerprint!r}, in the checkpoint {state['fingerprint']!r})"
            )
        if state["processes"] != self.processes:
            raise CheckpointError(
                f"a run of {state['processes']} processes must be resumed with as many; "
                f"got {self.processes}"
            )
