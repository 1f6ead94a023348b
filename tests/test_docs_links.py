"""What the documentation points to exists: files, headings, names in files, make targets.

A link whose text is code, such as ``[`MultiHeadAttention`](../src/…/attention.py)``,
promises that the file defines that name (``Class.method`` too).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("recipes/*.md")])

_FENCE = re.compile(r"^```.*?^```[ ]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")


def links(text: str) -> Iterator[tuple[str, str]]:
    """Text and target of each link outside code blocks."""
    for match in _LINK.finditer(_FENCE.sub("", text)):
        yield match["text"], match["target"]


def heading_anchors(text: str) -> set[str]:
    """The anchors that a page's headings get, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def defined(path: Path) -> set[str]:
    """Names that a module defines, ``Class.member`` among them."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names |= _bound(node)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for inner in node.body for name in _bound(inner)}
    return names


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    return set()


def broken_links(page: Path) -> list[str]:
    problems = []
    for text, target in links(page.read_text(encoding="utf-8")):
        if re.match(r"(https?|mailto):", target):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists():
            problems.append(f"{target}: no such file")
        elif anchor and path.suffix == ".md":
            if anchor not in heading_anchors(path.read_text(encoding="utf-8")):
                problems.append(f"{target}: no such heading")
        elif path.suffix == ".py" and (code := re.fullmatch(r"`([\w./]+)`", text)):
            named = code[1]
            if named.endswith(".py"):
                if not path.as_posix().endswith(f"/{named}"):
                    problems.append(f"{target}: is not {named}")
            elif named not in defined(path):
                problems.append(f"{target}: defines no {named}")
    return problems


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z]+)\b", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_conflict_is_left(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall("^(?:<{7}|>{7}|={7})(?: .*)?$", text, re.MULTILINE) == []


def files_of(folder: Path) -> set[str]:
    """``modules/frontend.py`` and ``frontend.py`` of each file below a folder."""
    paths = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return {path.split("/", above)[-1] for path in paths for above in range(path.count("/") + 1)}


def test_architecture_page_names_files_that_are_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    before = text.index("## Where this differs from the first design")
    named = set(re.findall(r"`([\w./]+\.(?:py|h|cpp))`", text[:before]))
    known = files_of(ROOT / "src") | files_of(ROOT / "tests")
    assert {name.removeprefix("tests/") for name in named} - known == set()


def test_contributing_shows_every_folder_of_the_package() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = text[text.index("src/transduce/\n") :].split("```")[0]
    shown, above = set(), ""
    for indent, name in re.findall(r"^(│   |)[├└]── (\w+)/ ", tree, re.MULTILINE):
        above = above if indent else name
        shown.add(f"{above}/{name}" if indent else name)
    package = ROOT / "src" / "transduce"
    folders = {path.parent.relative_to(package) for path in package.glob("*/**/*.[pc][yp]*")}
    assert shown == {folder.as_posix() for folder in folders if "__pycache__" not in folder.parts}


def test_equations_page_leads_to_every_file_that_computes_one() -> None:
    """Each layer, score, loss and search rule has its place on the page of equations."""
    page = ROOT / "docs" / "equations.md"
    linked = {(page.parent / target).resolve() for _, target in links(page.read_text("utf-8"))}
    layers = set((ROOT / "src/transduce/modules").glob("[!_]*.py"))
    assert {path.name for path in layers - linked} == set()


# ------------------------------------------------ the checks themselves can fail


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[a](b.md)", "b.md: no such file"),
        ("![a](b.png)", "b.png: no such file"),
        ("[a](#here)", "#here: no such heading"),
        ("[a](other.md#here)", "other.md#here: no such heading"),
        ("[`Missing`](code.py)", "code.py: defines no Missing"),
        ("[`Known.missing`](code.py)", "code.py: defines no Known.missing"),
        ("[`other.py`](code.py)", "code.py: is not other.py"),
    ],
)
def test_a_broken_link_is_seen(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "code.py").write_text("class Known:\n    def method(self): ...\n")
    (tmp_path / "other.md").write_text("# There\n```sh\n# here\n```\n")
    page = tmp_path / "page.md"
    page.write_text(text)
    assert broken_links(page) == [problem]


def test_whole_links_are_whole(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("A = 1\nB: int = 2\nclass C:\n    def d(self): ...\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# The *first*, `one`\n[x](#the-first-one) [`A`](code.py) [`B`](code.py) [`C.d`](code.py) "
        "[`code.py`](code.py) [x](https://example.org)\n```text\n[a](b.md)\n```\n"
    )
    assert broken_links(page) == []
