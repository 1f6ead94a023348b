"""``transduce train``: a recipe to a model directory."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from transduce.config import load_config
from transduce.pretrained.published_model import read_pretrained
from transduce.training.distributed import launched_processes
from transduce.training.record.progress import choose_progress
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting.fit import fit

__all__ = ["train"]


def train(recipe: Path, overrides: Sequence[str], output: Path, *, resume: bool) -> bool:
    """Train and say where the model is; false where somebody stopped it."""
    config = load_config(recipe, overrides)
    base = None if config.model.from_ is None else read_pretrained(config.model.from_)
    trained = fit(
        config,
        open_corpora(config),
        output,
        base=base,
        resume=resume,
        progress=choose_progress(),
        say=lambda line: print(line, file=sys.stderr),
    )
    record = trained.report["training"]
    finished = record["stopped"] != "interrupted"
    if launched_processes()[0] != 0:
        return bool(finished)
    print(f"{record['stopped']} after {record['minutes']:.1f} minutes, {record['steps']:,} steps")
    print(f"model: {output}")
    if not finished:
        print("go on with the same command and --resume")
    return bool(finished)
