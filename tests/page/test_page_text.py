"""The page on a model of texts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from started import Started

if TYPE_CHECKING:
    from playwright.sync_api import Page

expect = pytest.importorskip(
    "playwright.sync_api", reason="needs transduce[browser]; `make browser` installs it"
).expect


def asked(page: Page, text: str, output: str) -> None:
    page.locator("#text").fill(text)
    expect(page.locator("#written")).to_have_text(output)


def test_what_is_typed_is_answered(page: Page) -> None:
    page.locator("#text").press_sequentially("abc")
    expect(page.locator("#written")).to_have_text("cba")
    page.locator("#text").press("Backspace")
    expect(page.locator("#written")).to_have_text("ba")
    assert page.url.endswith("#m=reverse&q=ab")


def test_lines_are_answered_one_by_one(page: Page) -> None:
    asked(page, "abc\n\n dab", "cba\n\n bad")


def test_its_headers(served: Started) -> None:
    got = served.ask("GET", "/")
    assert got.status == 200
    policy = got.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'")
    again = served.ask("GET", "/", headers={"if-none-match": got.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert served.ask("GET", "/page/../application.py").status == 404


def test_a_slow_answer_is_overtaken_by_a_newer_one(page: Page) -> None:
    """The first request is held until the second has been answered, and then let go."""
    held: list[Any] = []

    def hold(route: Any) -> None:
        if '"ab"' in (route.request.post_data or "") and not held:
            held.append(route)
        else:
            route.continue_()

    page.route("**/predict", hold)
    page.locator("#text").fill("ab")
    page.wait_for_timeout(100)
    asked(page, "abc", "cba")
    assert len(held) == 1
    held[0].fulfill(json={"answers": [{"text": "late", "hypotheses": []}]})
    page.wait_for_timeout(100)
    expect(page.locator("#written")).to_have_text("cba")


def test_a_server_that_goes_away_and_comes_back(page: Page) -> None:
    away = True

    def answer(route: Any) -> None:
        route.abort("connectionrefused") if away else route.continue_()

    page.route(re.compile("/(predict|health)$"), answer)
    page.locator("#text").fill("abc")
    expect(page.locator("#banner")).to_contain_text("does not answer")
    away = False
    expect(page.locator("#written")).to_have_text("cba")
    expect(page.locator("#banner")).to_be_hidden()


def test_an_error_in_the_words_of_the_server(page: Page) -> None:
    page.locator("#text").fill("a" * 2001)
    expect(page.locator("#banner")).to_contain_text("must have at most 2,000 characters")
    expect(page.locator(".count")).to_have_class("count wrong")
    asked(page, "abc", "cba")
    expect(page.locator("#banner")).to_be_hidden()


def test_n_best_outputs_and_one_that_is_taken(page: Page) -> None:
    asked(page, "abc", "cba")
    page.locator("#nbest").select_option("3")
    expect(page.locator("#others li")).to_have_count(2)
    second = page.locator("#others li .row span").first.inner_text()
    page.locator("#others button").first.click()
    expect(page.locator("#written")).to_have_text(second)
    expect(page.locator("#others li").first).to_contain_text("cba")


def test_an_output_goes_on_from_a_chosen_alternative(page: Page) -> None:
    """By keys alone: to the second letter, open, the first of what else could stand there."""
    asked(page, "abc", "cba")
    page.locator(".piece").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    first = page.locator(".choices button").first
    expect(first).to_be_focused()
    letter = first.locator("b").inner_text()
    page.keyboard.press("Escape")
    expect(page.locator(".piece").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("#written")).to_have_text(re.compile(f"^c{letter}"))
    expect(page.locator(".piece.held")).to_have_count(2)
    assert "b=0%3Ac" in page.url
    page.get_by_text("Undo choices").click()
    expect(page.locator("#written")).to_have_text("cba")


def test_pointing_shades_what_a_letter_was_written_from(page: Page) -> None:
    asked(page, "abc", "cba")
    page.locator(".piece").first.hover()
    expect(page.locator(".mirror mark")).to_have_count(3)
    page.locator("#text").hover()
    expect(page.locator(".mirror mark")).to_have_count(0)
    page.locator("#method").select_option("occlusion")
    page.locator(".piece").first.focus()
    expect(page.locator(".mirror mark")).to_have_count(3)
    # The first letter of the output is the last one of the source.
    weights = [mark.evaluate("m => +m.style.getPropertyValue('--weight')") for mark in
               page.locator(".mirror mark").all()]  # fmt: skip
    assert max(weights) == weights[2] == 1
    page.locator("#inside summary").click()
    expect(page.locator("#inside tbody tr")).to_have_count(4)
    assert page.locator("#inside thead th").all_inner_texts() == ["a", "b", "c", "end"]


def test_the_beam_tree_and_its_table(page: Page) -> None:
    asked(page, "abc", "cba")
    page.locator("#tree > summary").click()
    names = page.locator("#tree svg text.best")
    expect(names.first).to_be_visible()
    page.locator("#tree details summary").click()
    expect(page.locator("#tree tr.best th")).to_have_text("c b a end")


def test_a_link_leads_back_and_the_tab_remembers(page: Page) -> None:
    asked(page, "abc", "cba")
    page.get_by_text("Copy link").click()
    link = page.evaluate("navigator.clipboard.readText()")
    expect(page.locator("#past")).to_be_visible()
    asked(page, "dab", "bad")
    page.locator("#past summary").click()
    page.locator("#past a").first.click()
    expect(page.locator("#text")).to_have_value("abc")
    expect(page.locator("#written")).to_have_text("cba")
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator("#written")).to_have_text("cba")
    page.locator("#past summary").click()
    page.get_by_text("Forget them").click()
    expect(page.locator("#past")).to_be_hidden()


def test_copy(page: Page) -> None:
    asked(page, "abc\nbd", "cba\ndb")
    page.get_by_text("Copy", exact=True).click()
    assert page.evaluate("navigator.clipboard.readText()") == "cba\ndb"
    expect(page.locator("#status")).to_have_text("Copied.")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("words.txt", "abc\n\n  dab \nbd\n", "cba\n\n  bad \ndb\n"),
        (
            "film.srt",
            "1\n00:00:01,000 --> 00:00:02,000\nabc\n\n2\n00:00:03,000 --> 00:00:04,000\ndab\n",
            "1\n00:00:01,000 --> 00:00:02,000\ncba\n\n2\n00:00:03,000 --> 00:00:04,000\nbad\n",
        ),
        (
            "page.html",
            "<!doctype html><p title='x'>abc <b>dab</b></p><script>abc</script>",
            '<!doctype html>\n<html><head></head><body><p title="x">cba <b>bad</b></p>'
            "<script>abc</script></body></html>\n",
        ),
    ],
)
def test_a_file_is_answered_and_saved(
    page: Page, tmp_path: Path, name: str, content: str, expected: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode())
    page.locator("#source input[type=file]").set_input_files(path)
    expect(page.locator("#files progress")).to_have_attribute("value", re.compile("[123]"))
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save").click()
    stem, _, end = name.partition(".")
    assert saved.value.suggested_filename == f"{stem}.out.{end}"
    assert saved.value.path().read_bytes().decode() == expected
