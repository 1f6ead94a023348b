"""Several tokenizers with one vocabulary: each cuts its own way, equal symbols are one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transduce.config import TokenizerConfig
from transduce.interfaces import END, UNKNOWN
from transduce.tokenization.joint import JointTokenizer, coder
from transduce.tokenization.tokenizer import Tokenizer

LETTERS = ["hello", "aba", "⟪N⟫ca"]
PHONES = ["h ə l oʊ", "a b a", "tʃ a", "⟪p⟫a"]
SENTENCES = ["the cat sat", "the hat", "a cat"]


def tokenizer(texts: list[str], tags: tuple[str, ...] = (), **options: object) -> Tokenizer:
    return Tokenizer.train(texts, TokenizerConfig.model_validate(options), tags)


@pytest.fixture(scope="module")
def joint() -> JointTokenizer:
    return JointTokenizer(
        {
            "": tokenizer(LETTERS, ("⟪N⟫",), kind="character"),
            "phones": tokenizer(PHONES, ("⟪p⟫",), kind="whitespace"),
            "text": tokenizer(SENTENCES, kind="bpe", vocabulary_size=300),
            "turned": tokenizer(["xyz"], kind="character", right_to_left=True),
        }
    )


def test_numbers_go_on_where_symbols_are_new_and_tags_come_last(joint: JointTokenizer) -> None:
    first = joint.members[""]
    shown = joint.symbols(range(joint.size))
    assert shown[:4] == ["<pad>", "<unk>", "<bos>", "<eos>"]
    assert shown[: first.first_tag] == first.symbols(range(first.first_tag))
    assert joint.tags == ("⟪N⟫", "⟪p⟫")
    assert shown[joint.first_tag :] == list(joint.tags)
    assert joint.of("phones").encode("⟪p⟫") == [joint.size - 1]
    assert len(joint) == joint.size == joint.of("phones").size
    # no entry twice: what is written alike is one symbol
    entries = {entry for member in joint.members.values() for entry in member.entries}
    assert joint.size == len(entries)


def test_what_is_written_alike_is_one_symbol(joint: JointTokenizer) -> None:
    letters, phones = joint.of("spelling"), joint.of("phones")
    assert letters.encode("ab") == phones.encode("a b")
    assert phones.encode("tʃ")[0] not in letters.encode("tʃ")
    assert letters.encode("⟪N⟫a")[0] == joint.first_tag
    assert phones.encode("⟪p⟫ a")[0] == joint.first_tag + 1


@given(st.sampled_from(["", "phones", "text", "turned"]), st.text("abcehlotxyz sʃ⟪N⟫", max_size=20))
@settings(max_examples=150)
def test_each_part_cuts_and_joins_as_its_own_tokenizer(
    joint: JointTokenizer, name: str, text: str
) -> None:
    member, part = joint.members[name], joint.of(name)
    assert part.config == member.config
    numbers = part.encode(text)
    assert part.symbols(numbers) == member.symbols(member.encode(text))
    assert part.decode(numbers) == member.decode(member.encode(text))
    assert part.encode_batch([text, text]) == [numbers, numbers]
    assert UNKNOWN not in numbers or UNKNOWN in member.encode(text)


def test_symbols_of_other_parts_are_written_as_they_are(joint: JointTokenizer) -> None:
    phones, letters, turned = joint.of("phones"), joint.of(""), joint.of("turned")
    strange = phones.encode("tʃ")
    assert letters.decode([*letters.encode("ab"), *strange, *letters.encode("c"), END]) == "abtʃc"
    own = phones.encode("a b")
    assert phones.decode([*own, *letters.encode("c"), *own]) == "a b c a b"
    # from right to left: z is the first symbol and the last letter
    assert turned.symbols(turned.encode("xz")) == ["z", "x"]
    assert turned.decode([*turned.encode("yz"), *strange, *turned.encode("x")]) == "xtʃyz"


def test_a_part_without_a_tokenizer_takes_the_common_one(joint: JointTokenizer) -> None:
    assert joint.of("whatever").config.kind == "character"
    alone = JointTokenizer({"phones": joint.members["phones"]})
    with pytest.raises(ValueError, match="part must be one of phones; got 'spelling'"):
        alone.of("spelling")
    assert alone.of("phones").encode("a b") == joint.members["phones"].encode("a b")


def test_a_side_with_one_tokenizer_is_that_tokenizer(joint: JointTokenizer) -> None:
    single = joint.members["phones"]
    assert coder(single, "anything") is single
    assert coder(joint, "phones").config.kind == "whitespace"
    again = JointTokenizer({n: Tokenizer.from_json(m.to_json()) for n, m in joint.members.items()})
    assert again.to_json() == joint.to_json()
    assert again.symbols(range(again.size)) == joint.symbols(range(joint.size))
