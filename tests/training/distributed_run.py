"""Trains alone, with two and with four processes: distributed_run.py FOLDER.

One process imports PyTorch; its forks train, with the environment that torchrun gives.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import torch
from training_fakes import ONLY_TARGETS, ToyBatches, ToyModel, ToyScore, toy_config

from launched import launch
from transduce.training.loop import train
from transduce.training.objectives.cross_entropy import CrossEntropy
from transduce.training.objectives.weighted import Weighted
from transduce.training.regularization.adversarial import Adversarial
from transduce.training.regularization.r_drop import SecondPass
from transduce.training.regularization.simcut import SimCut


def train_here(folder: Path, steps: int) -> None:
    """Train; 41 pairs make a last batch of one pair, so some of the processes get none."""
    config = toy_config(
        max_steps=steps,
        average="ema",
        accumulate=2,
        label_smoothing=0.1,
        evaluate_every=4,
        checkpoint_every=1,
        schedule="constant",
    )
    almost = 1 - 1e-12  # so that the random cut of each process is the same one
    objectives = (
        *ONLY_TARGETS,
        Weighted(0.3, SecondPass(CrossEntropy())),
        Weighted(0.2, SimCut(almost)),
        Weighted(0.5, Adversarial(1.0)),
    )
    train(
        ToyModel(), objectives, ToyBatches(41), config, folder, ToyScore(), resume=folder.exists()
    )


def main() -> None:
    """One alone, two and four together, and two that stop half-way and go on."""
    torch.set_num_threads(1)  # a fork must not need threads that stayed behind
    home = Path(sys.argv[1])
    train_here(home / "one", 10)
    launch(partial(train_here, home / "two", 10), world=2)
    launch(partial(train_here, home / "four", 10), world=4)
    launch(partial(train_here, home / "resumed", 3), world=2)
    launch(partial(train_here, home / "resumed", 10), world=2)


if __name__ == "__main__":
    main()
