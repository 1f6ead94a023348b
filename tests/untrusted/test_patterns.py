"""Patterns of published tokenizers pass, those that take ages are refused."""

from __future__ import annotations

import pytest

from transduce.tokenization import pipelines
from transduce.untrusted.patterns import needs_something, require_bearable

PUBLISHED = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r" ?[^(\s|[.,!?…。，、।۔،])]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+",
    r"[一-龥぀-ゟ゠-ヿ]+",
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    r" {2,}",
    r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))",
    r"\d{1,2}?",
    r"[[:alpha:]]+",
    r"(?:ab)+c",
]
OWN = [pipelines._ANY_CHARACTER, pipelines._WORDS, pipelines._PIECES, pipelines._SPECIAL_AS_SYMBOL,
       f"{pipelines.WHITESPACE}+"]  # fmt: skip


@pytest.mark.parametrize("pattern", [*PUBLISHED, *OWN])
def test_patterns_of_tokenizers(pattern: str) -> None:
    require_bearable(pattern)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(a+)+b", "must not repeat a group of repetitions or choices"),
        ("(?:a|aa)+b", "must not repeat a group of repetitions or choices"),
        ("(?:a?a?)*b", "must not repeat a group of repetitions or choices"),
        ("((a{2,9}))*", "must not repeat a group of repetitions or choices"),
        ("a**", "must not repeat a group of repetitions or choices"),
        ("(a?){30}", "must not repeat a group of repetitions or choices"),
        ("a*a*b", "must have one repetition before what can fail"),
        ("(?:a*)(?:a*)b", "must have one repetition before what can fail"),
        ("x|a*a*a*$", "must have one repetition before what can fail"),
        (r"\s+\s+(?!\S)", "must have one repetition before what can fail"),
        ("a{0,99}a{9,}b", "must have one repetition before what can fail"),
        (r"(.*)\1", "must not refer to its own groups"),
        (r"(?<x>a)\k<x>", "must not refer to its own groups"),
        (r"(?<x>a\g<x>?b)", "must not refer to its own groups"),
        ("a{2000}", "must repeat 1000 times at most"),
        ("(?:a{1000}){1000}", "must have 20000 places at most, with repetitions"),
        ("(?(1)a|b)", "must have plain groups"),
        ("(*FAIL)", "must have plain groups"),
        ("(?{x})", "must have plain groups"),
        ("(?~a)", "must have plain groups"),
        ("(a", "must close its groups"),
        ("a)", "must be whole"),
        ("[a", "must close its classes"),
        (r"\p{L", "must close its names"),
        ("(" * 50 + ")" * 50, "must be nested 20 deep at most"),
        ("a" * 5000, "must have 4096 characters at most"),
    ],
)
def test_what_may_take_ages(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        require_bearable(pattern)


@pytest.mark.parametrize(
    ("pattern", "needs"),
    [
        *((pattern, True) for pattern in ("a", "^a", "(?=a)", "a+", r"(?i)\s", "(?:a|b)", "^x+$")),
        *((pattern, False) for pattern in ("", "a*", "^", "$", r"\b", "(?!a)", "(?<=a)", "a|b?")),
        *((pattern, False) for pattern in ("a{0,3}", "(?:a|)", "(?i)", "(?:^|a)", "(?<!a)")),
        (pipelines._SPECIAL_AS_SYMBOL, True),
    ],
)
def test_what_finds_nothing_at_the_end_of_a_text(pattern: str, needs: bool) -> None:
    assert needs_something(pattern) is needs
