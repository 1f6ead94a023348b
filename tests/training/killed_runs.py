"""Runs a small training in child processes that are killed, until one comes to its end.

Usage: killed_runs.py FOLDER random SEED | killed_runs.py FOLDER saves

One process imports PyTorch; its forks train. ``random``: SIGKILL at random instants. ``saves``:
SIGKILL at each single write, sync and rename of a checkpoint, one after the other.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from training_fakes import ToyBatches, ToyModel, ToyScore, toy_config

import transduce.training.checkpoint as checkpoint_module
from transduce.training.loop import train


def train_here(folder: Path, steps: int) -> None:
    """The run that is killed again and again: everything that has a state is on."""
    config = toy_config(
        max_steps=steps,
        evaluate_every=10,
        checkpoint_every=3,
        accumulate=2,
        average="ema",
        scheduled_sampling=0.3,
        label_smoothing=0.1,
    )
    resume = (folder / "training").exists()
    train(ToyModel(dropout=0.2), ToyBatches(), config, folder, ToyScore(), resume=resume)


def child(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def ended_well(pid: int) -> bool:
    """Wait; true after a normal end, false after a kill."""
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return False
    if os.WEXITSTATUS(status):
        sys.exit("a child failed")
    return True


def kill_at_random(folder: Path, steps: int, chance: random.Random, seconds: float) -> int:
    """``seconds`` is what the whole run takes, so that some kills come before its end."""
    kills = 0
    while True:
        pid = child(partial(train_here, folder, steps))
        if kills < 10:  # then it is left alone
            time.sleep(chance.uniform(0.02, 0.4) * seconds)
            os.kill(pid, signal.SIGKILL)
        if ended_well(pid):
            return kills
        kills += 1


def kill_in_saves(folder: Path, steps: int) -> int:
    kills = 0
    while True:
        number = kills % 23 + 1  # one save has about 16 events
        if ended_well(child(partial(train_until_event, folder, steps, number))):
            return kills
        kills += 1


def train_until_event(folder: Path, steps: int, number: int) -> None:
    """Die before the n-th event on the disk."""
    left = number

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return call

    for owner, name in (
        (checkpoint_module, "_sync"),
        (checkpoint_module, "save_file"),
        (checkpoint_module, "sync_folder"),
        (Path, "rename"),
        (Path, "replace"),
        (checkpoint_module.shutil, "rmtree"),
        (checkpoint_module.shutil, "copyfile"),
        (checkpoint_module.os, "link"),
    ):
        setattr(owner, name, dying(getattr(owner, name)))
    train_here(folder, steps)


def main() -> None:
    """See the module's first lines; prints the number of kills."""
    torch.set_num_threads(1)  # a fork must not need threads that stayed behind
    folder, way, *seed = Path(sys.argv[1]), *sys.argv[2:]
    train_here(folder / "whole", 36)
    if way == "random":
        began = time.monotonic()
        train_here(folder / "timed", 36)
        seconds = time.monotonic() - began
        print(kill_at_random(folder / "killed", 36, random.Random(int(seed[0])), seconds))
    else:
        print(kill_in_saves(folder / "killed", 36))


if __name__ == "__main__":
    main()
