"""How long a person waits for the page: from a key to the output that it changes, in Chromium.

    python benchmarks/page.py MODEL

Words are typed letter by letter; each keystroke begins a wait that ends with the frame in which
the output of that very text is shown. Also: bytes of the page, and until it can be typed on.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from transduce.server.page.static_files import static_files

__all__ = ["main"]

_PORT = 8791
_WORDS = ["begins", "moninger", "theodor", "seditious", "preakness", "hemodynamic", "crispen"]
# Each answered text is noted with the time at which its frame was painted.
_NOTED = """
    window.keys = []; window.shown = [];
    document.addEventListener("answered", () => requestAnimationFrame(() => setTimeout(() =>
        shown.push([document.querySelector("#text").value, performance.now()]))));
    document.querySelector("#text").addEventListener("input", (event) =>
        keys.push([event.target.value, event.timeStamp]));
"""


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--words", type=int, default=10)
    parser.add_argument("--upper", action="store_true", help="for models of capital letters")
    parser.add_argument("--pause", type=int, default=150, help="milliseconds from key to key")
    given = parser.parse_args()
    words = [_WORDS[n % len(_WORDS)] for n in range(given.words)]
    if given.upper:
        words = [word.upper() for word in words]
    command = [sys.executable, "-m", "transduce", "serve", str(given.model), "--port", str(_PORT)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _wait()
        waits, begun = _typed(words, given.pause)
    finally:
        server.terminate()
        server.wait(30)
    waits.sort()
    files = static_files().values()
    print(f"bytes: {sum(len(file.content) for file in files):,} in {len(files)} files")
    print(f"until it can be typed on: {begun:.0f} ms")
    print(
        f"key to result: p50 {statistics.median(waits):.0f} ms, "
        f"p95 {waits[int(0.95 * len(waits))]:.0f} ms ({len(waits)} keys)"
    )


def _wait() -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{_PORT}/ready").close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not begin")


def _typed(words: list[str], pause: int) -> tuple[list[float], float]:
    chromium = shutil.which("chromium") or "chromium"
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{_PORT}")
        page.wait_for_selector("#text")
        begun = page.evaluate("performance.now()")
        page.evaluate(_NOTED)
        waits: list[float] = []
        for word in words:
            waits += _waits(page, word, pause)
        browser.close()
    return waits, begun


def _waits(page: Page, word: str, pause: int) -> list[float]:
    page.evaluate("keys.length = 0; shown.length = 0")
    page.locator("#text").fill("")
    page.locator("#text").press_sequentially(word, delay=pause)
    page.wait_for_function("word => shown.some(([text]) => text === word)", arg=word)
    keys, shown = page.evaluate("[keys, shown]")
    found = dict(reversed(shown))  # the first time that each was seen
    return [found[text] - began for text, began in keys if text and text in found]


if __name__ == "__main__":
    main()
