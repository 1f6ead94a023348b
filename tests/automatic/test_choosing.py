"""From facts to a recipe: pure functions, nothing is trained."""

from __future__ import annotations

import random
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from transduce.automatic.choosing.holding_out import hold_out
from transduce.automatic.choosing.machine_speed import Machine
from transduce.automatic.choosing.recipe_lines import (
    RecipeLine,
    given_by_person,
    nested,
    recipe_text,
)
from transduce.automatic.choosing.whole_recipe import choose
from transduce.automatic.looking.facts import facts_of
from transduce.config import Config, DataConfig
from transduce.reading.held_out import source_key, split_of
from transduce.reading.pair_files import Pair

LAPTOP = Machine(64.0)
Pairs = list[tuple[str, str]]


def chosen(pairs: Pairs, minutes: float = 10.0, machine: Machine = LAPTOP) -> dict[str, Any]:
    facts = facts_of(pairs, total=len(pairs))
    choices = choose(facts, minutes, machine, dev_sources=200)
    return {choice.key: choice.value for choice in choices}


def words(seed: int, count: int, letters: str = "abcdefghij") -> list[str]:
    generator = random.Random(seed)
    return ["".join(generator.choices(letters, k=generator.randint(2, 9))) for _ in range(count)]


def sentences(seed: int, count: int, vocabulary: int = 6000) -> list[str]:
    generator = random.Random(seed)
    known = words(seed, vocabulary, "abcdefghijklmnopqrstuvwxyz")
    weights = [1 / (n + 1) for n in range(vocabulary)]
    return [
        " ".join(generator.choices(known, weights, k=generator.randint(4, 12)))
        for _ in range(count)
    ]


def test_phones_are_symbols() -> None:
    found = chosen([(word, " ".join(word.upper())) for word in words(1, 500)])
    assert found["tokenizer.source.kind"] == "character"
    assert found["tokenizer.target.kind"] == "whitespace"
    assert "model.copy" not in found


def test_few_names_are_labels() -> None:
    found = chosen([(word, ("spam", "ham")[n % 2]) for n, word in enumerate(words(1, 500))])
    assert found["tokenizer.target.kind"] == "whitespace"
    assert (found["search.beam"], found["training.metric"]) == (1, "exact_match")


def test_thousands_of_words_are_letters() -> None:
    """What gave 0 %: each target a symbol of its own."""
    found = chosen([(word, word[::-1] + "s") for word in set(words(1, 3000))])
    assert found["tokenizer.target.kind"] == "character"


def test_words_kept_are_copied() -> None:
    found = chosen([(word, word + "s") for word in set(words(1, 2000, "abcdefghijklmnopqrs"))])
    assert found["model.copy"] is True


def test_sentences_are_cut_into_pieces() -> None:
    pairs = list(zip(sentences(1, 4000), sentences(2, 4000), strict=True))
    found = chosen(pairs)
    assert (found["tokenizer.shared"], found["tokenizer.source.kind"]) == (True, "bpe")
    assert found["training.metric"] == "bleu"
    assert "tokenizer.target.kind" not in found
    few = chosen(pairs[:200])
    assert few["tokenizer.source.kind"] == "character"


def test_commands_are_words() -> None:
    generator = random.Random(1)
    verbs = ["walk", "run", "jump", "look"]
    sources = [" and ".join(generator.choices(verbs, k=3)) for _ in range(900)]
    found = chosen([(source, source.upper().replace(" AND ", " ")) for source in sources])
    assert found["tokenizer.source.kind"] == found["tokenizer.target.kind"] == "whitespace"


def test_hangul_is_read_letter_by_letter() -> None:
    generator = random.Random(1)
    sources = ["".join(chr(generator.randint(0xAC00, 0xD7A3)) for _ in "abc") for _ in range(500)]
    found = chosen([(source, " ".join(source.encode().hex())) for source in sources])
    assert found["tokenizer.source.normalization"] == "nfd"


def test_chinese_has_no_words() -> None:
    generator = random.Random(1)
    targets = ["".join(chr(generator.randint(0x4E00, 0x4F00)) for _ in "abcde") for _ in range(900)]
    found = chosen(list(zip(sentences(1, 900), targets, strict=True)))
    assert found["tokenizer.target.kind"] == "character"
    assert found["evaluation.bleu_tokenizer"] == "zh"
    assert found["training.metric"] == "chrf"


def test_more_time_is_a_larger_model() -> None:
    pairs = [(word, " ".join(word.upper())) for word in words(1, 5000)]
    widths = [chosen(pairs, minutes)["model.encoder.width"] for minutes in (0.1, 1, 10, 100)]
    assert widths == sorted(widths)
    assert widths[-1] > widths[0]
    fast = chosen(pairs, 1.0, Machine(4096.0, 8))["model.encoder.width"]
    assert fast > widths[1]


def test_little_data_need_not_take_all_minutes() -> None:
    assert "training.max_epochs" in chosen([("a", "b"), ("b", "c"), ("c", "d")], 60)
    assert "training.max_epochs" not in chosen([(w, w[::-1]) for w in words(1, 5000)], 1)


texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="⟪⟫"), min_size=1, max_size=20
).filter(str.strip)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(texts, texts), min_size=1, max_size=40),
    st.floats(0.01, 10_000),
    st.sampled_from([0.25, 64.0, 65_536.0]),
    st.integers(0, 2000),
)
def test_any_pairs_have_a_recipe_that_loads(
    pairs: Pairs, minutes: float, speed: float, dev_sources: int
) -> None:
    facts = facts_of(pairs, total=len(pairs))
    choices = choose(facts, minutes, Machine(speed), dev_sources=dev_sources)
    assert choices == choose(facts, minutes, Machine(speed), dev_sources=dev_sources)
    config = Config.from_mapping(nested(choices))
    text = recipe_text(choices, ["heading"])
    assert Config.from_mapping(yaml.safe_load(text)) == config
    for line in text.splitlines()[1:]:
        assert line.endswith(":") or "  # " in line  # a section, or a line with its reason
    assert config.search.refusal() is None


@settings(deadline=None, max_examples=60)
@given(st.sets(texts, min_size=1, max_size=300))
def test_held_out_are_as_many_as_said(sources: set[str]) -> None:
    held = hold_out(map(source_key, sources), len(sources))
    if held is None:
        return
    data = DataConfig(dev_fraction=held.dev, test_fraction=held.test)
    side = split_of(data)
    splits = [side(Pair(source, "t", "f", 1)) for source in sources]
    assert splits.count("train") >= 1
    assert splits.count("dev") >= held.dev_sources >= 1
    assert splits.count("test") >= held.test_sources


def test_few_sources_are_not_held_out() -> None:
    assert hold_out(["a", "b", "c"], 3) is None
    held = hold_out(words(1, 1000), 1000)
    assert held is not None
    assert 80 <= held.dev_sources <= 110


def test_nearly_equal_sources_are_in_one_split() -> None:
    side = split_of(DataConfig(dev_fraction=0.3, test_fraction=0.3))
    for word in words(1, 50):
        variants = (word, word.upper(), f" {word}  ", word.capitalize())
        assert len({side(Pair(variant, "t", "f", 1)) for variant in variants}) == 1


def test_sorted_data_is_seen_from_end_to_end() -> None:
    pairs = [("a" * (n // 1000 + 1), "b" * (n // 1000 + 1)) for n in range(60_000)]
    facts = facts_of(pairs, total=200_000)
    assert (facts.pairs, facts.read, facts.looked_at) == (200_000, 60_000, 20_000)
    assert facts.target.longest == 60
    assert 30 < facts.target.characters < 31


def test_what_a_person_says_wins() -> None:
    choices = [
        RecipeLine("model.encoder.width", 128, "because"),
        RecipeLine("search.beam", 4, "because"),
    ]
    told = given_by_person(choices, {"search.beam": 1, "training.seed": 7})
    assert told == [
        RecipeLine("model.encoder.width", 128, "because"),
        RecipeLine("search.beam", 1, "as you said"),
        RecipeLine("training.seed", 7, "as you said"),
    ]
    whole = given_by_person(choices, {"model.encoder": {"kind": "gru"}})
    assert whole[1:] == [RecipeLine("model.encoder", {"kind": "gru"}, "as you said")]
