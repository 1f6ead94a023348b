"""Trains a recipe on a corpus that is encoded into files, with 1, 2 and 4 processes:
corpus_run.py FOLDER.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch

import transduce.batches.encoded_corpus as encoded_corpus
import transduce.workflow.fitting.fit as fitting
from launched import launch
from small_runs import tiny, words, write_reversals
from transduce.workflow.corpora.corpora import open_corpora

write_folder = encoded_corpus.write_folder


def noted(home: Path, *arguments: Any) -> Any:
    """Encode, and leave a line in a file."""
    with (home / "encoded").open("a") as file:
        file.write(f"{os.environ['WORLD_SIZE']} {os.environ['RANK']}\n")
    return write_folder(*arguments)


def train_here(home: Path, folder: Path) -> None:
    data = {"train": home / "train.tsv", "dev": home / "dev.tsv"}
    config = tiny(data, steps=8, training={"evaluate_every": 4, "accumulate": 2, "average": "none"})
    fitting.fit(config, open_corpora(config), folder)


def main() -> None:
    """As if the corpus were larger than memory: in files, whose pages are given back each batch."""
    torch.set_num_threads(1)  # a fork must not need threads that stayed behind
    home = Path(sys.argv[1])
    fitting._IN_MEMORY = 0  # type: ignore[misc]
    encoded_corpus.RESIDENT, encoded_corpus.RELEASE = 0, 1
    encoded_corpus.write_folder = partial(noted, home)
    write_reversals(home / "train.tsv", words(1, 90))
    write_reversals(home / "dev.tsv", words(2, 10))
    for world in (1, 2, 4):
        launch(partial(train_here, home, home / str(world)), world)


if __name__ == "__main__":
    main()
