"""``transduce shrink``: a trained model in fewer bytes."""

from __future__ import annotations

from pathlib import Path
from typing import cast, get_args

from transduce.commands.arguments import require_new_folder
from transduce.config import WeightNumber
from transduce.errors import ConfigError
from transduce.files import place
from transduce.pretrained.published_model import load_trained
from transduce.workflow.shrinking import shrink, weight_sizes
from transduce.workflow.trained import WEIGHTS

__all__ = ["shrink_model"]

_NUMBERS = [number for number in get_args(WeightNumber) if number != "float32"]


def shrink_model(model: Path, output: Path, weights: str) -> None:
    """Write the directory and say what it holds.

    Raises ConfigError, also for an ``output`` that holds something, ModelError, BusyError, OSError.
    """
    if weights not in _NUMBERS:
        raise ConfigError(f"--weights must be one of {', '.join(_NUMBERS)}; got {weights!r}")
    require_new_folder(output)
    trained = load_trained(model, "cpu")
    smaller = shrink(trained, cast(WeightNumber, weights))
    smaller.save(output)
    sizes = weight_sizes(smaller)
    before, after = (place(folder, WEIGHTS).stat().st_size for folder in (model, output))
    print(
        f"model: {output} ({before / 1e6:.2f} to {after / 1e6:.2f} MB, "
        f"{after / (sizes.rounded + sizes.floats):.3f} bytes a weight)"
    )
    print(f"{weights}: {sizes.rounded:,} weights; float32: {sizes.floats:,} ({sizes.kept_kinds})")
