"""Every reader is fed a few damaged inputs, the same each time; ``make fuzz`` goes on from here."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator

import pytest

from fuzz.finding import all_harnesses, missing
from fuzz.running.campaign import quick

_HARNESSES = all_harnesses()


@pytest.fixture(autouse=True)
def _as_it_is_run() -> Iterator[None]:
    """Warnings and the log as outside of tests: a warning is no failure there."""
    logger = logging.getLogger("transduce")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logger.setLevel(level)


@pytest.mark.parametrize("name", _HARNESSES)
def test_nothing_breaks(name: str) -> None:
    harness = _HARNESSES[name]
    if lacks := missing(harness):
        pytest.skip(lacks)
    batch, failed = quick(harness, range(harness.quick))
    again = f".venv/bin/python tests/fuzz quick --harness {name} --number"
    assert not failed, "\n".join(f"{failure}\n{again} {failure.number}" for failure in failed)
    assert batch.inputs == harness.quick
