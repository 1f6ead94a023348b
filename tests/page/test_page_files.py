"""What the page is made of: few bytes, from this server alone, under a strict policy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="needs transduce[serve]")

import transduce
from transduce.server.page.static_files import POLICY, static_files

FILES = static_files()
FOLDER = Path(transduce.__file__).parent / "server" / "page" / "static"


def test_it_is_small() -> None:
    assert sum(len(file.content) for file in FILES.values()) <= 80_000


def test_every_file_is_sent() -> None:
    """Nothing lies there that no route serves, and a wheel has all that the package has."""
    there = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert there == set(FILES)


def test_its_policy_permits_only_its_own_files() -> None:
    own = dict(part.split(" ", 1) for part in POLICY.split("; "))
    assert own["default-src"] == "'none'"
    assert own["script-src"] == own["style-src"] == own["connect-src"] == "'self'"
    assert "unsafe" not in POLICY


@pytest.mark.parametrize("name", FILES)
def test_nothing_comes_from_elsewhere(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    found = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`)]*", text))
    assert found <= {"http://www.w3.org/2000/svg"}
    assert "innerHTML" not in text
    if name.endswith(".html"):
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_every_module_says_what_it_is(name: str) -> None:
    text, sent = (FOLDER / name).read_text(encoding="utf-8"), FILES[name].content.decode()
    assert text.startswith("/** ")
    assert text.count("\n") == sent.count("\n") <= 400
    both = zip(text.split("\n"), sent.split("\n"), strict=True)
    left_out = [own for own, other in both if own != other]
    assert all(re.match(r"\s*(/?\*|//)", line) for line in left_out)
    for path in re.findall(r'from "(\.[^"]+)"', text):
        assert (FOLDER / name).parent.joinpath(path).resolve().is_file(), path
