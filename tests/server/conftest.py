"""Two servers for all tests of this room that change nothing about them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("starlette", reason="needs transduce[serve]")
pytest.importorskip("uvicorn", reason="needs transduce[serve]")

from reversal_run import Run
from served_models import saved_untrained
from started import Keyed, Started, started
from transduce.server.limits.keys import add_key


@pytest.fixture(scope="session")
def server(run: Run) -> Iterator[Started]:
    """A gru-tiny that reverses words of ``abcd``, by the name ``reverse``; no keys."""
    with started({"reverse": run.folder}, characters=2000) as own:
        yield own


@pytest.fixture(scope="session")
def keyed(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    """``reverse``, and untrained ``hear`` and ``see``."""
    home = tmp_path_factory.mktemp("served")
    folders = {"reverse": run.folder}
    folders["hear"] = saved_untrained("audio", home / "hear")
    folders["see"] = saved_untrained("image", home / "see")
    keys = home / "keys.yaml"
    key = add_key(keys, "anna")
    add_key(keys, "bert")
    limits = {"sound_seconds": 20, "pixels": 10_000, "body_bytes": 2_000_000}
    with started(folders, keys=str(keys), origins=["https://page.example"], **limits) as own:
        yield Keyed(own, folders, key)
