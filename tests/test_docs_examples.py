"""The Python code on the pages runs as it stands, each page in a folder of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(r"^```python[ ]*\n(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)


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
