"""The environment in which the tests of training start other processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import transduce


@pytest.fixture
def child_environment() -> dict[str, str]:
    """One thread; the package as it is imported here, and what stands beside the tests."""
    here = Path(__file__).parent
    paths = map(str, [Path(transduce.__file__).parent.parent, here, here.parent])
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
