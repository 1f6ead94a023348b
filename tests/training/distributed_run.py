"""Trains alone and with two processes: distributed_run.py FOLDER.

One process imports PyTorch; its forks train, with the environment that torchrun gives.
"""

from __future__ import annotations

import os
import socket
import sys
import traceback
from pathlib import Path

import torch
from training_fakes import ONLY_TARGETS, ToyBatches, ToyModel, ToyScore, toy_config

from transduce.training.loop import train
from transduce.training.objectives.cross_entropy import CrossEntropy
from transduce.training.objectives.weighted import Weighted
from transduce.training.regularization.adversarial import Adversarial
from transduce.training.regularization.r_drop import SecondPass
from transduce.training.regularization.simcut import SimCut


def train_here(folder: Path, steps: int) -> None:
    """Train; 41 pairs make a last batch of one pair, so one of two processes gets none."""
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


def launch(folder: Path, steps: int, world: int) -> None:
    """What torchrun does on one machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world)}
    children = [fork(folder, steps, rank) for rank in range(world)]
    if any(os.waitpid(child, 0)[1] for child in children):
        sys.exit("a process failed")


def fork(folder: Path, steps: int, rank: int) -> int:
    child = os.fork()
    if child:
        return child
    os.environ["RANK"] = str(rank)
    try:
        train_here(folder, steps)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> None:
    """One alone, two together, and two that stop half-way and go on."""
    torch.set_num_threads(1)  # a fork must not need threads that stayed behind
    home = Path(sys.argv[1])
    train_here(home / "one", 10)
    launch(home / "two", 10, world=2)
    launch(home / "resumed", 3, world=2)
    launch(home / "resumed", 10, world=2)


if __name__ == "__main__":
    main()
