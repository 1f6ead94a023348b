"""The code on the pages and in docstrings runs.

A page's ``python`` blocks are one program, run in a folder of its own, and the commands of the
tutorial are part of it. Trainings that a page limits by minutes get a few steps here. Blocks with
prompts (``>>>``) are doctests, whose output must agree.
"""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
from pathlib import Path

import pytest

from command_line import call, feed
from transduce.training import run

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WITH_COMMANDS = {ROOT / "docs" / "tutorial.md"}
MODULES = [
    ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    for path in sorted(SOURCE.rglob("[!_]*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]

_BLOCK = re.compile(r"^```(python|sh)[ ]*\n(?!>>>)(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
_MINUTES = re.compile(r"(?<![.\w])max_minutes(=[\d.]+|: [\d.]+)")


def short(match: re.Match[str]) -> str:
    """A limit in minutes, in Python or in a recipe, with one in steps beside it."""
    between = "\n  max_steps: " if match[1].startswith(":") else ", max_steps="
    return f"{match[0]}{between}2"


def script(page: Path) -> str:
    """All ``python`` blocks of a page as one program, each line where it stands on the page.

    A line of an ``sh`` block is a call of ``command``, where the page's commands are run too.
    """
    text = page.read_text(encoding="utf-8")
    lines = [""] * len(text.splitlines())
    for match in _BLOCK.finditer(text):
        first = text[: match.start(2)].count("\n")
        code = match[2].splitlines()
        if match[1] == "sh":
            if page not in WITH_COMMANDS:
                continue
            code = [f"command({line!r})" for line in code]
        lines[first : first + len(code)] = code
    return "\n".join(lines)


@pytest.mark.learning
@pytest.mark.parametrize(
    "page", [p for p in PAGES if script(p).strip()], ids=lambda page: str(page.relative_to(ROOT))
)
def test_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def command(line: str) -> None:
        """Run ``transduce …`` or ``echo TEXT | transduce …``."""
        words = shlex.split(line, comments=True)
        if words[0] == "echo":
            feed(monkeypatch, " ".join(words[1 : words.index("|")]) + "\n")
            words = words[words.index("|") + 1 :]
        assert words[0] == "transduce"
        assert call(monkeypatch, *words[1:]) == 0, line

    monkeypatch.setattr(run, "plot_run", lambda *_: False)  # no page looks at it
    monkeypatch.chdir(tmp_path)
    program = _MINUTES.sub(short, script(page))
    exec(compile(program, str(page), "exec"), {"__name__": "__main__", "command": command})


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


def test_script_keeps_line_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n\n```python\na = 1\n```\n\n```sh\nls\n```\n```python\nb = a\n1 / 0\n```\n"
    )
    assert script(page).splitlines()[3] == "a = 1"
    assert script(page).splitlines()[10:12] == ["b = a", "1 / 0"]
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile(script(page), str(page), "exec"), {})
    assert caught.traceback[-1].lineno + 1 == 12
    monkeypatch.setitem(globals(), "WITH_COMMANDS", {page})
    assert script(page).splitlines()[7] == "command('ls')"


def test_minutes_get_steps_beside_them() -> None:
    assert _MINUTES.sub(short, "f(max_minutes=0.5)") == "f(max_minutes=0.5, max_steps=2)"
    assert _MINUTES.sub(short, "  max_minutes: 1\n") == "  max_minutes: 1\n  max_steps: 2\n"
    assert (
        _MINUTES.sub(short, "['a.max_minutes=3'].max_minutes") == "['a.max_minutes=3'].max_minutes"
    )
