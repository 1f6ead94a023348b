"""Subword regularization: what is drawn, by the algorithms' own words, and that texts stay."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from functools import cache
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transduce.config import TokenizerConfig
from transduce.errors import ConfigError
from transduce.interfaces import UNKNOWN
from transduce.tokenization.sampling.dropped_merges import DroppedMerges
from transduce.tokenization.sampling.sampled_pieces import SampledPieces
from transduce.tokenization.sampling.subword_sampler import SubwordSampler
from transduce.tokenization.tokenizer import Tokenizer

TEXTS = ["the cat sat on the mat", "a cat and a hat", "that hat is on the cat", "the <eos> é ß"] * 3
DRAWS = 20_000


def near(found: Counter[tuple[int, ...]], expected: dict[tuple[int, ...], float]) -> None:
    """Each share within five standard deviations, and nothing that cannot be."""
    assert found.keys() <= {cutting for cutting, share in expected.items() if share > 0}
    for cutting, share in expected.items():
        deviation = math.sqrt(share * (1 - share) / DRAWS)
        assert abs(found[cutting] / DRAWS - share) < 5 * deviation + 1e-9, cutting


# symbols 1, 2, 3; (1 2) → 4 first, then (4 3) → 5, (2 3) → 6, (1 6) → 7, (1 1) → 8
MERGES = {(1, 2): (0, 4), (4, 3): (1, 5), (2, 3): (2, 6), (1, 6): (3, 7), (1, 1): (4, 8)}


def outcomes(symbols: tuple[int, ...], share: float) -> dict[tuple[int, ...], float]:
    """Algorithm 1: at each step every merge that fits is left out or not, the best of the others
    is made; over all the ways that this may go.
    """
    found: dict[tuple[int, ...], float] = defaultdict(float)
    fitting = [
        (MERGES[pair][0], place) for place, pair in enumerate(pairwise(symbols)) if pair in MERGES
    ]
    for kept in range(1 << len(fitting)):
        chosen = [fitting[n] for n in range(len(fitting)) if kept >> n & 1]
        weight = (1 - share) ** len(chosen) * share ** (len(fitting) - len(chosen))
        if not chosen:
            found[symbols] += weight
            continue
        _, place = min(chosen)
        made = MERGES[symbols[place], symbols[place + 1]][1]
        after = (*symbols[:place], made, *symbols[place + 2 :])
        for cutting, rest in outcomes(after, share).items():
            found[cutting] += weight * rest
    return found


@pytest.mark.parametrize("letters", [(1, 2, 3), (1, 1, 2, 3), (1, 2, 1, 1, 2, 3), (3,)])
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_merges_are_left_out_as_the_algorithm_says(letters: tuple[int, ...], share: float) -> None:
    cutter, chance = DroppedMerges(MERGES, share), Random(3)
    word = cutter.word(letters)
    found = Counter(tuple(cutter.cut(word, chance)) for _ in range(DRAWS))
    near(found, outcomes(letters, share))


PIECES = {"a": (10, -1.0), "b": (11, -2.0), "ab": (12, -1.5), "ba": (13, -3.0), "aba": (14, -4.0)}


@pytest.mark.parametrize("power", [0.2, 1.0])
@pytest.mark.parametrize("text", ["a", "ab", "abaab"])
def test_pieces_are_drawn_by_their_probability(text: str, power: float) -> None:
    @cache
    def cuttings(rest: str) -> dict[tuple[int, ...], float]:
        if not rest:
            return {(): 1.0}
        return {
            (number, *after): math.exp(power * log) * weight
            for piece, (number, log) in PIECES.items()
            if rest.startswith(piece)
            for after, weight in cuttings(rest[len(piece) :]).items()
        }

    total = sum(cuttings(text).values())
    expected = {cutting: weight / total for cutting, weight in cuttings(text).items()}
    cutter, chance = SampledPieces(PIECES, power), Random(5)
    word = cutter.word(text)
    assert word is not None
    near(Counter(tuple(cutter.cut(word, chance)) for _ in range(DRAWS)), expected)


def test_a_word_that_pieces_do_not_spell_is_left_alone() -> None:
    cutter = SampledPieces(PIECES, 0.5)
    assert cutter.word("abc") is None
    assert cutter.word("ca") is None


# ---------------------------------------------------------------- whole texts

CONFIGS = {
    kind + turn: TokenizerConfig(kind=kind, vocabulary_size=320, right_to_left=bool(turn))
    for kind in ("bpe", "unigram")
    for turn in ("", "-backwards")
}
TOKENIZERS = {
    name: Tokenizer.train(TEXTS, config, ["⟪N⟫", "⟪PL⟫"]) for name, config in CONFIGS.items()
}
texts = st.lists(
    st.sampled_from(
        ["the", "cat", " ", "  ", "hat", "⟪N⟫", "⟪PL⟫", "⟪X⟫", "é", "日", "<eos>", "9"]
    ),
    max_size=8,
).map("".join)


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=60, deadline=None)
@given(text=texts, seed=st.integers(0, 99))
def test_the_text_stays(name: str, text: str, seed: int) -> None:
    tokenizer = TOKENIZERS[name]
    row = tokenizer.encode(text)
    for strength in (0.3, 0.9):
        found = SubwordSampler(tokenizer, strength).sample(row, Random(seed))
        assert tokenizer.decode(found) == tokenizer.decode(row)
        kept = [number for number in row if number >= tokenizer.first_tag or number == UNKNOWN]
        assert [n for n in found if n >= tokenizer.first_tag or n == UNKNOWN] == kept


@pytest.mark.parametrize(("name", "strength"), [("bpe", 1e-12), ("unigram", 1000.0)])
def test_hardly_any_chance_gives_what_the_tokenizer_gives(name: str, strength: float) -> None:
    tokenizer = TOKENIZERS[name]
    sampler, chance = SubwordSampler(tokenizer, strength), Random(1)
    for row in tokenizer.encode_batch([*TEXTS, "⟪N⟫ a hat 日 that"]):
        assert sampler.sample(row, chance) == row


@pytest.mark.parametrize(("name", "strength"), [("bpe", 0.5), ("unigram", 0.05)])
def test_draws_differ_and_follow_from_the_seed(name: str, strength: float) -> None:
    tokenizer = TOKENIZERS[name]
    row = tokenizer.encode(TEXTS[0])
    first, again = (SubwordSampler(tokenizer, strength) for _ in range(2))
    drawn = [tuple(first.sample(row, Random(seed))) for seed in range(9)]
    assert len(set(drawn)) > 5
    assert drawn == [tuple(again.sample(row, Random(seed))) for seed in range(9)]


def test_a_text_cut_off_inside_a_character_stays_as_it_is() -> None:
    tokenizer = TOKENIZERS["bpe"]
    row = tokenizer.encode("cat 日")[:-1]
    assert SubwordSampler(tokenizer, 0.9).sample(row, Random(1)) == row


@pytest.mark.parametrize("kind", ["character", "word", "byte", "whitespace"])
def test_other_tokenizers_have_no_pieces_to_choose(kind: str) -> None:
    tokenizer = Tokenizer.train(TEXTS, TokenizerConfig(kind=kind))
    with pytest.raises(ConfigError, match=f"of kind bpe or unigram to sample.*; got {kind}"):
        SubwordSampler(tokenizer, 0.1)
