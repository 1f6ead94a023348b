"""One process of a run: distributed_run.py FOLDER, started by torchrun or alone."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from training_fakes import ToyBatches, ToyModel, ToyScore, toy_config
from transduce.training.loop import train


def main() -> None:
    """Train; 41 pairs make a last batch of one pair, so one of two processes gets none."""
    torch.set_num_threads(1)
    config = toy_config(
        max_epochs=3,
        average="ema",
        accumulate=2,
        label_smoothing=0.1,
        evaluate_every=4,
        checkpoint_every=1,
    )
    folder = Path(sys.argv[1])
    train(ToyModel(), ToyBatches(pairs=41), config, folder, ToyScore(), resume=folder.exists())


if __name__ == "__main__":
    main()
