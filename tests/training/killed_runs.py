"""Runs a small training in child processes that are killed, again and again, until one ends.

Usage: injection.py killed_runs.py FOLDER, with the folders of both in PYTHONPATH

One process imports PyTorch; its forks train in FOLDER/killed, after a whole run in FOLDER/whole.
Each fork dies at a change of a file, by a number that is given here: before it, or in the middle
of it. So a run is killed, resumed, killed while it is resumed, and so on. Prints the number of
kills.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from injection import WAYS, arm
from training_fakes import ONLY_TARGETS, ToyBatches, ToyModel, ToyScore, toy_config

from transduce.training.loop import train

# The n-th change of each run in turn; a save has about 40, a resume about 30 before the first step.
_KILLS = (5, 60, 97, 12, 44, 150, 1, 88, 112, 73, 205, 94, 131, 58, 81)


def train_here(folder: Path) -> None:
    """The run that is killed again and again: everything that has a state is on."""
    config = toy_config(
        max_steps=36,
        evaluate_every=10,
        checkpoint_every=3,
        accumulate=2,
        average="ema",
        scheduled_sampling=0.3,
        label_smoothing=0.1,
    )
    resume = (folder / "training").exists()
    train(
        ToyModel(dropout=0.2), ONLY_TARGETS, ToyBatches(), config, folder, ToyScore(), resume=resume
    )


def killed(folder: Path, number: int, way: str) -> bool:
    """Train in a fork; whether it was killed, and did not come to its end."""
    if (child := os.fork()) == 0:
        try:
            arm(folder, number, WAYS[way])
            train_here(folder)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit("a child failed")
    return os.WIFSIGNALED(status)


def main() -> None:
    """See the module's first lines."""
    torch.set_num_threads(1)  # a fork must not need threads that stayed behind
    folder = Path(sys.argv[1])
    train_here(folder / "whole")
    kills = 0
    for number in _KILLS:
        if not killed(folder / "killed", number, "torn" if number % 2 else "kill"):
            break
        kills += 1
    else:
        train_here(folder / "killed")
    print(kills)


if __name__ == "__main__":
    main()
