"""One server and one Chromium for all tests of the page. Debian's browser, nothing downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("starlette", reason="needs transduce[serve]")
pytest.importorskip("uvicorn", reason="needs transduce[serve]")

from served_models import saved_untrained
from started import Started, started

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from reversal_run import Run

NAMES = ("chromium", "chromium-browser", "google-chrome")
# A microphone that needs no sound device: it hums, and nobody is asked whether it may.
PATIENCE = 120_000  # milliseconds: nothing hangs on how fast a machine is
OPTIONS = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


# The package's and not the session's: while Playwright runs, no other test of this process may
# begin an event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    needs = "needs transduce[browser]; `make browser` installs it"
    playwright_there = pytest.importorskip("playwright.sync_api", reason=needs)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("needs Chromium; `make browser` installs it")
    options = [*OPTIONS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    playwright_there.expect.set_options(timeout=PATIENCE)
    with playwright_there.sync_playwright() as playwright:
        own = playwright.chromium.launch(executable_path=found, args=options)
        yield own
        own.close()


@pytest.fixture(scope="package")
def served(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """``reverse`` reverses words of ``abcd``; ``hear`` and ``see`` are untrained."""
    home = tmp_path_factory.mktemp("page")
    folders = {"reverse": run.folder}
    folders["hear"] = saved_untrained("audio", home / "hear")
    folders["see"] = saved_untrained("image", home / "see")
    with started(folders, characters=2000, sound_seconds=20) as own:
        yield own


@pytest.fixture
def page(browser: Browser, served: Started) -> Iterator[Page]:
    """The page on ``reverse``, ready to be typed on; the test fails where a script did."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
    context.grant_permissions(["clipboard-read", "clipboard-write", "microphone"])
    context.set_default_timeout(PATIENCE)
    own, wrong = context.new_page(), []
    own.on("pageerror", lambda error: wrong.append(str(error)))
    own.on("console", lambda told: wrong.append(told.text) if "Policy" in told.text else None)
    own.goto(served.url)
    own.wait_for_selector("#text")
    yield own
    context.close()
    assert wrong == []
