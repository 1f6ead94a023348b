"""Symbols of a text as a person reads them: what the vocabulary lacks stands as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Library
from tokenizers import models, pre_tokenizers

from transduce.config import TokenizerConfig
from transduce.interfaces import UNKNOWN
from transduce.tokenization.imported import ImportedSymbols
from transduce.tokenization.joint import JointTokenizer
from transduce.tokenization.numbering import Numbering
from transduce.tokenization.tokenizer import Tokenizer

TEXTS = ["ab ba, abba", "b a"]
TAGS = ["⟪PL⟫"]


def learnt(kind: str, tags: list[str] | None = None, **options: object) -> Tokenizer:
    if kind in ("bpe", "unigram"):
        options["vocabulary_size"] = 270
    config = TokenizerConfig.model_validate({"kind": kind, **options})
    return Tokenizer.train(TEXTS, config, tags or [])


@pytest.mark.parametrize(
    ("kind", "text", "symbols"),
    [
        ("character", "aéb我", ["a", "é", "b", "我"]),
        ("whitespace", "ba  zebra b", ["ba", "zebra", "b"]),
        ("word", "ab zebra, ba", [" ab", " zebra", ",", " ba"]),
        ("character", "⟪PL⟫x⟪SG⟫a", ["⟪PL⟫", "x", "⟪SG⟫", "a"]),
        ("whitespace", "⟪SG⟫x", ["⟪SG⟫", "x"]),
        ("word", "⟪PL⟫zebra", ["⟪PL⟫", " zebra"]),
        ("byte", "⟪SG⟫ab", ["⟪SG⟫", "a", "b"]),
    ],
)
def test_an_unknown_symbol_is_shown_as_it_stands(kind: str, text: str, symbols: list[str]) -> None:
    tokenizer = learnt(kind, TAGS if "⟪" in text else None)
    assert UNKNOWN in tokenizer.encode(text)
    assert tokenizer.written(text) == symbols
    joint = JointTokenizer({"": tokenizer, "other": learnt("character")})
    assert joint.of("").written(text) == symbols


def test_what_is_read_is_shown_in_the_form_in_which_it_is_read() -> None:
    tokenizer = learnt("character", lowercase=True, right_to_left=True)
    assert tokenizer.written("ABÉ") == ["é", "b", "a"]


@pytest.mark.parametrize("kind", ["character", "whitespace", "word", "byte", "bpe", "unigram"])
@given(text=st.text(st.sampled_from("abzé我 ,\t\u0301⟪⟫PL<unk>"), max_size=20))
@settings(max_examples=30)
def test_one_for_each_number(kind: str, text: str) -> None:
    for tokenizer in (TRAINED[kind], TAGGED[kind]):
        numbers = tokenizer.encode(text)
        known = zip(tokenizer.symbols(numbers), tokenizer.written(text), numbers, strict=True)
        for symbol, written, number in known:
            assert (written == symbol) == (number != UNKNOWN)


TRAINED = {
    kind: learnt(kind) for kind in ("character", "whitespace", "word", "byte", "bpe", "unigram")
}
TAGGED = {kind: learnt(kind, TAGS) for kind in TRAINED}


def test_an_imported_one_gives_the_place_in_the_text() -> None:
    pipeline = Library(models.WordLevel({"<s>": 0, "</s>": 1, "[UNK]": 2, "ab": 3}, "[UNK]"))
    pipeline.pre_tokenizer = pre_tokenizers.Whitespace()
    numbering = Numbering(size=4, padding=None, unknown=2, start=0, end=1)
    tokenizer = Tokenizer.imported(ImportedSymbols(pipeline, numbering, before=(0,)))
    assert tokenizer.written("ab zebra")[1:] == ["ab", "zebra"]
