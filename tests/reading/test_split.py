"""A split by hash: stable, fair, blind to the spelling in code points."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transduce.errors import ConfigError
from transduce.reading.split import hash_split, splitter

SPLITS = {"test": 0.1, "dev": 0.05, "train": 0.85}


def test_stays_what_it_was() -> None:
    # Written down once: another answer would mix train and test of existing models.
    words = ["cat", "dog", "我爱你", "é", "", "house", "mouse"]
    assert [hash_split(word, {"a": 0.5, "b": 0.5}) for word in words] == list("aaabbbb")


def test_shares_are_kept() -> None:
    counts = Counter(hash_split(f"word {n}", SPLITS) for n in range(20_000))
    for split, share in SPLITS.items():
        assert abs(counts[split] / 20_000 - share) < 0.01


@given(st.lists(st.text(max_size=5), max_size=5))
def test_shares_are_laid_along_the_line(texts: list[str]) -> None:
    split_of = splitter(SPLITS)
    for text in texts:
        normal = unicodedata.normalize("NFC", text).encode()
        place = int.from_bytes(hashlib.blake2b(normal, digest_size=8).digest(), "big") / 2**64
        expected = "test" if place < 0.1 else "dev" if place < 0.1 + 0.05 else "train"
        assert split_of(text) == hash_split(text, SPLITS) == expected


@given(st.text())
def test_composed_and_decomposed_fall_together(text: str) -> None:
    assert hash_split(f"e\u0301{text}", SPLITS) == hash_split(f"é{text}", SPLITS)


@given(st.text(st.characters(codec=None)))
def test_every_text_has_a_place(text: str) -> None:
    assert hash_split(text, SPLITS) in SPLITS
    assert hash_split(text, {"none": 0.0, "all": 1.0, "nobody": 0.0}) == "all"


def test_first_share_is_the_same_whatever_follows() -> None:
    for word in map(str, range(200)):
        one = hash_split(word, {"test": 0.3, "train": 0.7}) == "test"
        other = hash_split(word, {"test": 0.3, "dev": 0.2, "train": 0.5}) == "test"
        assert one == other


@pytest.mark.parametrize("splits", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": 0.5, "b": 0.6}])
def test_wrong_shares_are_refused(splits: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="shares that sum to 1; got"):
        hash_split("a", splits)
