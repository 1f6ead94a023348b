"""The page on a model of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from started import Started

if TYPE_CHECKING:
    from playwright.sync_api import Page

expect = pytest.importorskip(
    "playwright.sync_api", reason="needs transduce[browser]; `make browser` installs it"
).expect


def output(page: Page) -> str:
    return page.locator("#written").inner_text()


def test_what_is_typed_is_answered(page: Page) -> None:
    page.locator("#text").press_sequentially("abc")
    expect(page.locator("#written")).to_have_text("cba")
    page.locator("#text").press("Backspace")
    expect(page.locator("#written")).to_have_text("ba")
    assert page.url.endswith("#m=reverse&q=ab")


def test_lines_are_answered_one_by_one(page: Page) -> None:
    page.locator("#text").fill("abc\n\n dab")
    expect(page.locator("#written")).to_have_text("cba\n\n bad")


def test_its_headers(served: Started) -> None:
    got = served.ask("GET", "/")
    assert got.status == 200
    assert got.headers["content-security-policy"].startswith(
        "default-src 'none'; script-src 'self'"
    )
    again = served.ask("GET", "/", headers={"if-none-match": got.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert served.ask("GET", "/page/../application.py").status == 404
