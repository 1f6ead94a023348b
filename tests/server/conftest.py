"""One server for all tests of this room that change nothing about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("starlette", reason="needs transduce[serve]")
pytest.importorskip("uvicorn", reason="needs transduce[serve]")

from started import Started, started

from reversal_run import Run


@pytest.fixture(scope="session")
def server(run: Run) -> Iterator[Started]:
    """A gru-tiny that reverses words of ``abcd``, by the name ``reverse``."""
    with started({"reverse": run.folder}, characters=2000) as own:
        yield own
