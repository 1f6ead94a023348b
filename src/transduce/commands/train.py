"""``transduce train``: a recipe to a model directory."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from transduce.config import load_config
from transduce.pipeline.corpora import open_corpora
from transduce.pipeline.fitting import fit
from transduce.training.progress import choose_progress

__all__ = ["train"]


def train(recipe: Path, overrides: Sequence[str], output: Path, *, resume: bool) -> None:
    """Train and say where the model is."""
    config = load_config(recipe, overrides)
    corpora = open_corpora(config)
    trained = fit(
        config,
        corpora,
        output,
        resume=resume,
        progress=choose_progress(),
        say=lambda line: print(line, file=sys.stderr),
    )
    record = trained.report["training"]
    print(f"{record['stopped']} after {record['minutes']:.1f} minutes, {record['steps']:,} steps")
    print(f"model: {output}")
