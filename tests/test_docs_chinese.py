"""The pages in Chinese say what the English ones say: headings, code, tables, and every option."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from test_docs_index import linked
from test_docs_links import ROOT
from transduce.reference.options_page import option_sections
from transduce.reference.options_page_zh import in_chinese, options_page_zh
from transduce.reference.sentences import SENTENCES
from transduce.reference.sentences_zh import SENTENCES_ZH

DOCS = ROOT / "docs"
CHINESE = DOCS / "zh"
PAIRS = [
    (ROOT / "README.md", ROOT / "README.zh.md"),
    *((DOCS / path.name, path) for path in sorted(CHINESE.glob("*.md"))),
]
_FENCE = re.compile(r"^```.*?^```[ ]*$", re.MULTILINE | re.DOTALL)


def heading_levels(text: str) -> list[int]:
    """The level of each heading outside code, in order."""
    return [len(marks) for marks in re.findall(r"^(#+) ", _FENCE.sub("", text), re.MULTILINE)]


def code_blocks(text: str) -> list[str]:
    """The code blocks, without the comments at the ends of their lines."""
    return [re.sub(r"[ ]*# .*$", "", block, flags=re.MULTILINE) for block in _FENCE.findall(text)]


def table_sizes(text: str) -> list[int]:
    """The number of lines of each table."""
    tables: list[str] = re.findall(r"(?:^\|.*\n?)+", _FENCE.sub("", text), re.MULTILINE)
    return [len(table.splitlines()) for table in tables]


def differences(english: str, chinese: str) -> list[str]:
    """In what two pages are out of step."""
    asked = {"headings": heading_levels, "code": code_blocks, "tables": table_sizes}
    return [name for name, of in asked.items() if of(english) != of(chinese)]


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=lambda path: path.name)
def test_both_languages_are_in_step_and_lead_to_each_other(english: Path, chinese: Path) -> None:
    first, second = (path.read_text(encoding="utf-8") for path in (english, chinese))
    assert differences(first, second) == []
    for page, other in ((english, chinese), (chinese, english)):
        assert other in linked(page)
        assert other.name in "".join(page.read_text(encoding="utf-8").splitlines()[:3])


def test_the_pages_that_were_promised_are_there() -> None:
    assert {path.name for path in CHINESE.glob("*.md")} >= {
        "README.md",
        "tutorial.md",
        "options.md",
    }


def test_the_chinese_index_lists_what_the_english_one_lists() -> None:
    def pages(index: Path) -> set[Path]:
        return {english.get(page, page) for page in linked(index)} - {DOCS / "README.md"}

    english = {chinese.resolve(): page for page, chinese in PAIRS}
    assert pages(CHINESE / "README.md") == pages(DOCS / "README.md")


def test_each_option_has_one_sentence_in_chinese_and_no_sentence_is_left_over() -> None:
    keys = {(kind, key) for kind, told in SENTENCES.items() for key in told}
    assert {(kind, key) for kind, told in SENTENCES_ZH.items() for key in told} == keys
    for told in SENTENCES_ZH.values():
        for sentence in told.values():
            assert sentence.endswith("。")
            assert len(sentence) <= 60
            assert re.search("[\u4e00-\u9fff]", sentence)


def test_names_in_backticks_are_the_same_options() -> None:
    known = {key for told in SENTENCES.values() for key in told}
    known |= {"auto", "cpu", "cuda", "evaluate", "gnmt", "power", "data"}
    for told in SENTENCES_ZH.values():
        for sentence in told.values():
            for name in re.findall("`([a-z_]+)`", sentence):
                assert name in known


def test_no_type_or_default_stays_english() -> None:
    for section in option_sections():
        for option in section.options:
            words = re.sub("`[^`]*`|{[^}]*}}?", "", in_chinese(f"{option.type} {option.default}"))
            assert set(re.findall("[a-z]+", words)) <= {"none", "true", "false"}, option.name


def test_the_chinese_options_page_is_current() -> None:
    current = (CHINESE / "options.md").read_text(encoding="utf-8")
    again = "python -m transduce.reference.options_page_zh > docs/zh/options.md"
    assert current == options_page_zh(), f"make it again: {again}"


def test_pages_out_of_step_are_seen() -> None:
    page = "# A\n\n## B\n\n```sh\nls  # all\n```\n\n| a |\n|---|\n"
    assert differences(page, page.replace("# all", "# 全部").replace("B", "乙")) == []
    assert differences(page, page.replace("## B", "### B")) == ["headings"]
    assert differences(page, page.replace("ls ", "ls -a ")) == ["code"]
    assert differences(page, page + "| b |\n") == ["tables"]
