"""Every page of the documentation is reachable from its index, and says one thing in each place."""

from __future__ import annotations

from pathlib import Path

from test_docs_links import ROOT, links

DOCS = ROOT / "docs"
BESIDE = ("recipes/README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")


def linked(page: Path) -> set[Path]:
    """The pages that a page links to."""
    targets = (target.partition("#")[0] for _, target in links(page.read_text(encoding="utf-8")))
    return {(page.parent / target).resolve() for target in targets if target.endswith(".md")}


def unlisted(index: Path, pages: set[Path]) -> set[str]:
    """The pages that an index has no link to."""
    return {path.relative_to(ROOT).as_posix() for path in pages - linked(index) - {index}}


ZOO = DOCS / "zoo"  # has an index of its own


def test_the_index_lists_every_page() -> None:
    pages = {path for path in DOCS.rglob("*.md") if "zh" not in path.relative_to(DOCS).parts}
    pages -= set(ZOO.glob("*.md")) - {ZOO / "README.md"}
    assert unlisted(DOCS / "README.md", pages | {ROOT / name for name in BESIDE}) == set()


def test_the_index_of_the_zoo_lists_every_card() -> None:
    assert unlisted(ZOO / "README.md", set(ZOO.glob("*.md"))) == set()


def test_the_front_page_leads_to_the_index_and_warns_before_the_installation() -> None:
    front = (ROOT / "README.md").read_text(encoding="utf-8")
    assert DOCS / "README.md" in linked(ROOT / "README.md")
    assert front.index("CUDA") < front.index("\npip install")
    assert len(front.splitlines()) <= 80  # one screen, and its table


def test_a_page_that_the_index_forgets_is_seen() -> None:
    forgotten = DOCS / "forgotten.md"
    assert unlisted(DOCS / "README.md", {forgotten}) == {"docs/forgotten.md"}
