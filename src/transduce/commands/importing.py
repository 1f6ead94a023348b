"""``transduce import``: a published model as a model directory of ours."""

from __future__ import annotations

from pathlib import Path

from transduce.commands.arguments import require_new_folder
from transduce.pretrained.published_model import read_pretrained

__all__ = ["import_model"]


def import_model(
    path: str,
    output: Path,
    source_language: str | None,
    target_language: str | None,
    *,
    legacy_weights: bool,
    download: bool = False,
) -> None:
    """Read the model, by its path or its name on the hub, and write the directory.

    One that a killed import left is written once more.
    Raises ConfigError, ModelError, BusyError, OSError.
    """
    require_new_folder(output)
    trained = read_pretrained(
        path,
        device="cpu",
        source_language=source_language,
        target_language=target_language,
        legacy_weights=legacy_weights,
        download=download,
    )
    trained.save(output)
    count = sum(trained.parameters_by_module().values())
    print(f"model: {output} ({count:,} parameters)")
