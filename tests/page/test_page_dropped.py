"""Files on the page: dropped, stopped, gone on with; and played from a word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from served_models import picture, wav

if TYPE_CHECKING:
    from playwright.sync_api import Page

NEEDS = "needs transduce[browser]; `make browser` installs it"
expect = pytest.importorskip("playwright.sync_api", reason=NEEDS).expect

DROP = """([name, type, bytes]) => {
    const given = new DataTransfer();
    given.items.add(new File([new Uint8Array(bytes)], name, { type }));
    const send = (kind) => {
        const event = new DragEvent(kind, { dataTransfer: given, bubbles: true, cancelable: true });
        document.querySelector("#source").dispatchEvent(event);
        return [event.defaultPrevented, document.querySelector("#source").matches(".over")];
    };
    return ["dragover", "dragleave", "dragover", "drop"].map(send);
}"""


def drop(page: Page, name: str, kind: str, content: bytes) -> None:
    """Over the page, away, over it again, and let go; the browser does not open the file itself."""
    seen = page.evaluate(DROP, [name, kind, list(content)])
    assert seen == [[True, True], [True, False], [True, True], [True, False]]


def saved(page: Page) -> str:
    with page.expect_download() as found:
        page.get_by_role("button", name="Save").click()
    return found.value.path().read_text()


def test_a_text_is_dropped(page: Page) -> None:
    drop(page, "words.txt", "text/plain", b"abc\ndab\n")
    expect(page.locator("#files li")).to_contain_text("words.txt")
    assert saved(page) == "cba\nbad\n"


def test_a_picture_is_dropped_and_has_a_tree(page: Page) -> None:
    page.locator("#model").select_option("see")
    expect(page.locator("#source")).to_contain_text("Drop a")
    drop(page, "own.png", "image/png", picture())
    expect(page.locator(".piece").first).to_be_visible()
    page.locator("#tree > summary").click()
    expect(page.locator("#tree svg text.best").first).to_be_visible()


def test_a_recording_is_dropped_and_played_from_a_word(page: Page) -> None:
    """The model is untrained: what it says of the times is put into its answer."""
    words = [{"text": "ab", "start": 0.0, "end": 1.0}, {"text": "cd", "start": 1.0, "end": 9.0}]
    own = {"text": "ab cd", "tokens": ["ab", "cd"], "score": 0, "log_probability": 0}
    answer = {"text": "ab cd", "hypotheses": [{**own, "token_scores": [0, 0, 0], "words": words}]}
    page.route("**/predict", lambda route: route.fulfill(json=answer))
    page.locator("#model").select_option("hear")
    expect(page.locator("#source")).to_contain_text("Drop a")
    drop(page, "own.wav", "audio/wav", wav("ab" * 40))
    second = page.locator(".words li").nth(1)
    page.evaluate(
        "() => { const audio = document.querySelector('audio'); window.heard = [];"
        " audio.onplaying = () => heard.push(audio.currentTime) }"
    )
    second.locator("button").click()
    page.wait_for_function("() => heard.length")
    assert page.evaluate("heard[0]") >= 1.0
    expect(second).to_have_class("heard")
    expect(page.locator(".words li").first).not_to_have_class("heard")


def test_a_file_is_stopped(page: Page) -> None:
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/predict", hold)
    drop(page, "words.txt", "text/plain", b"abc\n")
    row = page.locator("#files li")
    with page.expect_event("requestfailed"):  # the server is told that nobody waits
        row.get_by_role("button", name="Stop").click()
    expect(row).to_contain_text("topped")
    expect(row.locator("progress, button")).to_have_count(0)
    assert len(held) == 1


def test_a_file_goes_on_where_it_was_when_the_server_is_back(page: Page) -> None:
    asked: list[list[str]] = []

    def answer(route: Any) -> None:
        """Of the first request one line; the second finds nobody."""
        asked.append(route.request.post_data_json["sources"])
        if len(asked) == 1:
            route.fulfill(body='{"index": 0, "text": "first"}\n')
        elif len(asked) == 2:
            route.abort("connectionrefused")
        else:
            route.continue_()

    page.route(re.compile("/predict$"), answer)
    drop(page, "words.txt", "text/plain", b"abc\ndab\nca\n")
    assert saved(page) == "first\nbad\nac\n"
    assert asked == [["abc", "dab", "ca"], ["dab", "ca"], ["dab", "ca"]]
