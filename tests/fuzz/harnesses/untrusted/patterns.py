"""Regular expressions of tokenizers: what is let through must be quick on texts made to be slow."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tokenizers import Regex, pre_tokenizers

from fuzz.harness import Files, Harness
from fuzz.mutations.text import text
from transduce.errors import ModelError
from transduce.untrusted.patterns import require_bearable
from transduce.untrusted.tokenizer_json import library

_KNOWN = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+",
    r"[\p{Lu}\p{Lt}\p{Lm}\p{M}]*[\p{Ll}\p{Lm}]+(?i:'s|'t)?|\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))",
    r" ?[^(\s|[.,!?…])]+|[[:alpha:]]+|\d{1,2}?|(?:ab)+c|(?<=a)b|(?>a+)b|a*+b|\bword\b",
]
_PIECES = [
    *("a", "b", "ab", ".", " ", "\\s", "\\w", "\\d", "\\S", "\\p{L}", "\\b", "\\x61", "\\u0061"),
    *("[ab]", "[^a]", "[a-z&&[^b]]", "[[:alpha:]]", "[]a]", "[^]a]", "[\\]a]", "[a[b]c]", "é"),
    *("*", "+", "?", "{2}", "{2,}", "{,3}", "{1,40}", "{33}", "*?", "+?", "++", "*+", "??", "{2}?"),
    *("|", "(", ")", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?<n>", "(?i)", "(?x)"),
    *("(?#a)", "\\1", "\\k<n>", "\\g<n>", "\\g<0>", "\\K", "\\R", "\\X", "\\G", "\\A", "\\z", "^"),
    *("$", "\\Q", "\\E", "(?|a|b)", "(?(1)a|b)", "(?~a)", "(*FAIL)", "\\", "[", "]", "{", "}"),
    *("(?:a|b)", "(?:a+)", "(?:a?)", "(a|ab)", "a*a*", "(?:a{2,9})", "\\p{^L}", "\\P{L}", "\\h"),
    *("\\o{141}", "\\x{61}", "\\c[", "\\M-a", "\\C-a", "(?y{g}:a)", "(?-i:a)", "(?W:a)", "\n", "#"),
]
_TEXTS = ["a" * 3000, "ab" * 1500, "a" * 3000 + "b", " " * 3000 + "x", "aé日 1\n\t'sA" * 200, ""]


def _grown(chance: Random, data: bytes) -> bytes:
    """Pieces of patterns put together, or into a known one."""
    if chance.random() < 0.15:
        return text(chance, data)[:5000]
    count = chance.choice([1, 2, 3, 6, 12])
    if chance.random() < 0.4:
        return "".join(chance.choices(_PIECES, k=count + 2)).encode()
    found = data.decode("utf-8", "replace")
    for _ in range(count):
        place = chance.randint(0, len(found))
        end = min(len(found), place + chance.choice([0, 0, 1, 3]))
        found = found[:place] + chance.choice(_PIECES) + found[end:]
    return found.encode("utf-8", "replace")


def feed(files: Files, folder: Path) -> object:
    """Cut texts by a pattern that is let through."""
    pattern = files["pattern"].decode("utf-8", "replace")
    try:
        require_bearable(pattern)
    except ValueError as error:
        raise ModelError(str(error)) from None
    with library("pattern must be one that the library knows"):
        step = pre_tokenizers.Split(Regex(pattern), "isolated")
        found = [len(step.pre_tokenize_str(text)) for text in _TEXTS]
    return [min(count, 3) for count in found]


HARNESS = Harness(
    "patterns",
    lambda: [{"pattern": pattern.encode()} for pattern in _KNOWN],
    {"*": _grown},
    feed,
    quick=300,
)
