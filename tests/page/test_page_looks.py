"""Accessible in light and dark and in both languages; wide and narrow; other kinds of models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from recordings import write_recording
from served_models import picture

if TYPE_CHECKING:
    from playwright.sync_api import Page

NEEDS = "needs transduce[browser]; `make browser` installs it"
expect = pytest.importorskip("playwright.sync_api", reason=NEEDS).expect
Axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason=NEEDS).Axe


def choose(page: Page, model: str) -> None:
    page.locator("#model").select_option(model)
    expect(page.locator("#source")).to_contain_text("Drop a")


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    assert violations(page) == []
    page.locator("#text").fill("abc")
    page.locator("#nbest").select_option("3")
    expect(page.locator("#others li")).to_have_count(2)
    for summary in ("#tree > summary", "#inside summary"):
        page.locator(summary).click()
    expect(page.locator("#tree svg")).to_be_visible()
    expect(page.locator("#inside table")).to_be_visible()
    assert violations(page) == []
    page.locator(".piece").first.click()
    expect(page.locator(".choices")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_be_visible()
    assert violations(page) == []


def test_it_is_chinese_where_somebody_wants_it(page: Page) -> None:
    page.locator("#tongue").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator("#source-head")).to_have_text("输入")
    expect(page.get_by_text("选择文件")).to_be_visible()
    assert violations(page) == []
    page.reload()
    expect(page.locator("#source-head")).to_have_text("输入")


def test_dark_stays_dark(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    before = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.locator("#shade").click()
    after = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert before != after
    page.reload()
    again = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert again == after


@pytest.mark.parametrize("width", [320, 1280, 3840])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.locator("#text").fill("abcd" * 60)
    expect(page.locator(".piece").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_models_to_choose(page: Page) -> None:
    choose(page, "see")
    assert violations(page) == []
    page.locator("#model").select_option("reverse")
    page.locator("#text").fill("abc")
    expect(page.locator("#written")).to_have_text("cba")


def test_languages_to_choose_and_swap(page: Page) -> None:
    """Of a model of many, which is here only what the page is told of one."""

    def facts(route: Any) -> None:
        told = route.fetch().json()
        route.fulfill(json={**told, "languages": ["eng_Latn", "arb_Arab", "deu_Latn"]})

    def answer(route: Any) -> None:
        asked = route.request.post_data_json
        text = f"{asked['source_language']}>{asked['target_language']}"
        own = {"text": text, "tokens": [text], "score": 0, "log_probability": 0}
        answers = [{"text": text, "hypotheses": [{**own, "token_scores": [0, 0]}]}]
        route.fulfill(json={"answers": answers})

    page.route("**/page/models/reverse", facts)
    page.route("**/predict", answer)
    page.reload()
    expect(page.locator("#to option")).to_have_text(["Arabic", "English", "German"])
    expect(page.locator("#swap")).to_be_disabled()
    page.locator("#from").select_option("deu_Latn")
    page.locator("#to").select_option("arb_Arab")
    page.locator("#text").fill("Tag")
    written = page.locator("#written")
    expect(written).to_have_text("deu_Latn>arb_Arab")
    assert (written.get_attribute("lang"), written.get_attribute("dir")) == ("ar-Arab", "rtl")
    assert page.locator("#text").get_attribute("lang") == "de-Latn"
    assert violations(page) == []
    page.locator("#swap").click()
    expect(page.locator("#text")).to_have_value("deu_Latn>arb_Arab")
    expect(written).to_have_text("arb_Arab>deu_Latn")
    assert page.locator("#text").get_attribute("dir") == "rtl"
    assert "s=arb_Arab&t=deu_Latn" in page.url


def test_parts_to_choose_and_swap(page: Page) -> None:
    def facts(route: Any) -> None:
        route.fulfill(json={**route.fetch().json(), "parts": ["en-de", "de-en", "ice"]})

    def answer(route: Any) -> None:
        part = route.request.post_data_json["part"]
        own = {"text": part, "tokens": [part], "score": 0, "log_probability": 0}
        answers = [{"text": part, "hypotheses": [{**own, "token_scores": [0, 0]}]}]
        route.fulfill(json={"answers": answers})

    page.route("**/page/models/reverse", facts)
    page.route("**/predict", answer)
    page.reload()
    page.locator("#text").fill("abc")
    expect(page.locator("#written")).to_have_text("en-de")
    page.locator("#swap").click()
    expect(page.locator("#text")).to_have_value("en-de")
    expect(page.locator("#written")).to_have_text("de-en")
    page.locator("#part").select_option("ice")
    expect(page.locator("#written")).to_have_text("ice")
    expect(page.locator("#swap")).to_have_count(0)


def test_a_key_is_asked_for(page: Page) -> None:
    def answer(route: Any) -> None:
        if route.request.headers.get("x-api-key") == "right":
            route.continue_()
        else:
            route.fulfill(status=401, json={"error": "key must be given; got none"})

    page.route("**/page/models", answer)
    page.reload()
    expect(page.locator("#banner")).to_have_text("key must be given; got none")
    assert violations(page) == []
    page.keyboard.type("right")
    page.keyboard.press("Enter")
    page.locator("#text").fill("abc")
    expect(page.locator("#written")).to_have_text("cba")
    expect(page.locator("#key")).to_be_hidden()


def test_a_picture_is_read_and_glows(page: Page, tmp_path: Path) -> None:
    choose(page, "see")
    path = tmp_path / "own.png"
    path.write_bytes(picture())
    page.locator("#source input[type=file]").set_input_files(path)
    expect(page.locator(".piece").first).to_be_visible()
    page.locator("#method").select_option("occlusion")
    page.locator(".piece").first.focus()
    page.wait_for_function(
        "() => { const c = document.querySelector('.picture canvas');"
        " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(Boolean) }"
    )
    assert violations(page) == []


def test_what_is_no_picture(page: Page, tmp_path: Path) -> None:
    choose(page, "see")
    path = tmp_path / "own.png"
    path.write_bytes(b"none")
    page.locator("#source input[type=file]").set_input_files(path)
    expect(page.locator("#banner")).to_contain_text("own.png: this model reads no such file")


def test_a_picture_is_pasted(page: Page) -> None:
    choose(page, "see")
    page.evaluate(
        """bytes => {
            const given = new DataTransfer();
            given.items.add(new File([new Uint8Array(bytes)], "own.png", { type: "image/png" }));
            dispatchEvent(new ClipboardEvent("paste", { clipboardData: given }));
        }""",
        list(picture()),
    )
    expect(page.locator(".piece").first).to_be_visible()


def test_a_recording_is_heard(page: Page, tmp_path: Path) -> None:
    choose(page, "hear")
    path = write_recording(tmp_path / "own.wav", "ab")
    page.locator("#source input[type=file]").set_input_files(path)
    expect(page.locator(".piece").first).to_be_visible()
    expect(page.locator("audio")).to_be_visible()
    assert violations(page) == []


def test_words_of_a_recording_have_times(page: Page, tmp_path: Path) -> None:
    """The model is untrained: what it says of the times is put into its answer."""
    words = [{"text": "ab", "start": 0.0, "end": 0.5}, {"text": "cd", "start": 0.5, "end": 3661.25}]
    own = {"text": "ab cd", "tokens": ["ab", "cd"], "score": 0, "log_probability": 0}
    answer = {"text": "ab cd", "hypotheses": [{**own, "token_scores": [0, 0, 0], "words": words}]}
    page.route("**/predict", lambda route: route.fulfill(json=answer))
    choose(page, "hear")
    path = write_recording(tmp_path / "own.wav", "ab")
    page.locator("#source input[type=file]").set_input_files(path)
    expect(page.locator(".words li")).to_have_text(["ab0.00 s", "cd0.50 s"])
    for kind, expected in (
        ("SRT", "1\n00:00:00,000 --> 00:00:00,500\nab\n\n2\n00:00:00,500 --> 01:01:01,250\ncd\n"),
        ("VTT", "WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nab\n\n"
                "00:00:00.500 --> 01:01:01.250\ncd\n"),
    ):  # fmt: skip
        with page.expect_download() as saved:
            page.get_by_role("button", name=kind).click()
        assert saved.value.path().read_text() == expected


def test_what_is_spoken_is_heard(page: Page) -> None:
    choose(page, "hear")
    page.locator("#record").click()
    expect(page.locator("#record")).to_have_text("Finish")
    page.wait_for_timeout(1200)
    with page.expect_response("**/predict") as heard:  # what a browser records is no WAV
        page.locator("#record").click()
    assert heard.value.status == 200
    expect(page.locator("audio")).to_be_visible()
