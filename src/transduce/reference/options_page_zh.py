"""The options page in Chinese: the same sections, with types and sentences translated."""

# ruff: noqa: RUF001 (full-width punctuation is what Chinese is written with)

from __future__ import annotations

import re

from transduce.reference.options_page import OptionSection, option_sections
from transduce.reference.sentences_zh import SENTENCES_ZH

__all__ = ["in_chinese", "options_page_zh"]

_HEAD = """# 选项

[English](../options.md) · 中文 · [文档目录](README.md)

配方的所有键。一节是一个 YAML 块：`training:` 及其下面的键。在命令行上用点号连接：
`training.max_minutes=5`。`transduce schema` 为编辑器输出同样的信息。本页由程序生成：
`python -m transduce.reference.options_page_zh > docs/zh/options.md`。"""

# Words of the types and defaults, as ``option_sections`` has them; longer ones come first.
_WORDS = {
    "a path, {source: PATH, target: PATH} or a list of these": (
        "路径、{source: PATH, target: PATH}，或由它们组成的列表"
    ),
    "parts by name, {NAME: {train: FILES}}": "按名称列出的部分，{NAME: {train: FILES}}",
    "a column's number (from 0) or name, {tags: COLUMN, separator: TEXT} or a list of these": (
        "列号（从 0 起）或列名、{tags: COLUMN, separator: TEXT}，或由它们组成的列表"
    ),
    "a column's number (from 0) or name": "列号（从 0 起）或列名",
    "two numbers of at least 0 and less than 1": "两个不小于 0 且小于 1 的数",
    "a whole number of at least 1, or a list of such, one a layer": (
        "不小于 1 的整数，或每层一个这样的数的列表"
    ),
    "a whole number of at least 0, or a list of such, one a layer": (
        "不小于 0 的整数，或每层一个这样的数的列表"
    ),
    ", or none": "，或 none",
    "a text or a list of texts": "文本，或文本的列表",
    "a list of [down, across]": "[纵, 横] 的列表",
    "a list": "列表",
    "whole number": "整数",
    "number": "数",
    "text": "文本",
    "path": "路径",
    "true or false": "true 或 false",
    ", at least": "，不小于",
    ", at most": "，不大于",
    ", more than": "，大于",
    ", less than": "，小于",
    " or none": "，或 none",
    "must be given": "必填",
    "empty": "空",
}
_WORD = re.compile("`[^`]*`|" + "|".join(map(re.escape, sorted(_WORDS, key=len, reverse=True))))


def in_chinese(words: str) -> str:
    """A type or a default of the English page; what stands between backticks stays."""
    return _WORD.sub(lambda found: _WORDS.get(found[0], found[0]), words)


def options_page_zh() -> str:
    """``docs/zh/options.md``."""
    return "\n\n".join([_HEAD, *map(_block, option_sections())]) + "\n"


def _block(section: OptionSection) -> str:
    title = " · ".join(f"`{place}`" for place in section.places if place) or "最上层"
    kinds = next((option.type for option in section.options if option.name == "kind"), "")
    if kinds and section.places != ("",):
        title += f"，类型 {kinds}"
    told = SENTENCES_ZH[section.kind.__name__]
    rows = [
        f"| `{option.name}` | {in_chinese(option.type)} | {in_chinese(option.default)} "
        f"| {told[option.name]} |"
        for option in section.options
    ]
    return "\n".join([f"## {title}\n", "| 键 | 类型 | 默认值 | 含义 |", "|---|---|---|---|", *rows])


if __name__ == "__main__":
    print(options_page_zh(), end="")
