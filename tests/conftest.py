"""What every test starts from: one thread a worker, fixed seeds, repeatable hypothesis runs."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

# One thread, in each worker and in what tests start: models this small gain nothing from more,
# and on a busy machine lose much. Said before the first library that asks.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
import torch
from hypothesis import settings

import transduce.training.run
from reversal_run import run as run  # a fixture, for every folder of tests
from transduce.training.record.plot import plot_run

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Each test draws the same numbers, alone or after others."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def _runs_are_not_drawn() -> Iterator[None]:
    """The picture of a run takes longer than the runs here; ``drawn_runs`` brings it back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transduce.training.run, "plot_run", lambda *_: False)
        yield


@pytest.fixture
def drawn_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs leave their picture, as outside the tests."""
    monkeypatch.setattr(transduce.training.run, "plot_run", plot_run)


@pytest.fixture
def child_environment() -> dict[str, str]:
    """Of other processes: one thread; the package as it is imported here, what is beside tests."""
    here = Path(__file__).parent
    paths = map(str, [Path(transduce.__file__).parent.parent, here / "training", here])
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
