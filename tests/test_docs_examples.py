"""The Python code on the pages and in docstrings runs as it stands.

A page's ``python`` blocks are one program, run in a folder of its own; blocks with
prompts (``>>>``) are doctests, whose output must agree.
"""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = [
    ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    for path in sorted(SOURCE.rglob("[!_]*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]

_BLOCK = re.compile(r"^```python[ ]*\n(?!>>>)(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)


def script(page: Path) -> str:
    """All ``python`` blocks of a page as one program, each line where it stands on the page."""
    text = page.read_text(encoding="utf-8")
    lines = [""] * len(text.splitlines())
    for match in _BLOCK.finditer(text):
        first = text[: match.start(1)].count("\n")
        code = match[1].splitlines()
        lines[first : first + len(code)] = code
    return "\n".join(lines)


@pytest.mark.learning
@pytest.mark.parametrize(
    "page", [p for p in PAGES if script(p).strip()], ids=lambda page: str(page.relative_to(ROOT))
)
def test_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(script(page), str(page), "exec"), {"__name__": "__main__"})


def prompted(pages: list[Path]) -> list[Path]:
    return [page for page in pages if "\n>>> " in page.read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", prompted(PAGES), ids=lambda page: str(page.relative_to(ROOT)))
def test_page_shows_what_python_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # a fence ends the output before it
    text = re.sub(r"^```.*$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    result = doctest.DocTestRunner().run(test)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.learning
@pytest.mark.parametrize("name", MODULES)
def test_docstrings_show_what_python_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


def test_script_keeps_line_numbers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n\n```python\na = 1\n```\n\n```sh\nls\n```\n```python\nb = a\n1 / 0\n```\n"
    )
    assert script(page).splitlines()[3] == "a = 1"
    assert script(page).splitlines()[10:12] == ["b = a", "1 / 0"]
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile(script(page), str(page), "exec"), {})
    assert caught.traceback[-1].lineno + 1 == 12
