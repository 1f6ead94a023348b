"""Which tokenizers suit the texts, and how many tokens these then are."""

from __future__ import annotations

from dataclasses import dataclass

from transduce.automatic.choosing.recipe_lines import RecipeLine
from transduce.automatic.choosing.sizes import Demand
from transduce.automatic.looking.facts import Facts, SideFacts

__all__ = ["Tokens", "choose_tokens", "is_sentences"]

_SENTENCES = 3000  # pairs from which pieces of words are worth learning
_WORDS_A_PIECE = 40
_SMALLEST, _LARGEST = 300, 8000  # pieces
_SHARED = 0.5  # of the target's alphabet that sources have


@dataclass(frozen=True)
class Tokens:
    """The lines of the section ``tokenizer``, and what a model then reads and writes."""

    choices: tuple[RecipeLine, ...]
    demand: Demand
    shared: bool
    copies: bool
    longest: float  # tokens of the longest target
    pieces: bool  # whether the target is cut into pieces of words


def is_sentences(side: SideFacts) -> bool:
    """Whether texts are of words, of which there are ever new ones."""
    return side.spaced >= 0.5 and side.words >= 2.5 and not side.is_closed and not side.script


def choose_tokens(facts: Facts) -> Tokens:
    """Raises nothing: every text has characters."""
    copies = _copies(facts)
    source, reads = _side(facts, facts.source, is_target=False, copies=copies)
    target, writes = _side(facts, facts.target, is_target=True, copies=copies)
    kinds = [side[0].value for side in (source, target) if side]
    shared = kinds == ["bpe", "bpe"] and facts.alphabets >= _SHARED
    choices: list[RecipeLine] = []
    if shared:
        reason = "both sides use the same letters"
        choices = [RecipeLine("tokenizer.shared", True, reason), *source]
    else:
        choices = [*source, *target]
    if facts.kind != "text":
        choices, shared = list(target), False
    kind = target[0].value
    symbols = {"bpe": _pieces(facts, facts.target), "whitespace": facts.target.vocabulary}.get(
        kind, facts.target.alphabet
    )
    longest = facts.target.longest * (writes / max(1e-9, facts.target.characters))
    reads += facts.tags_a_source
    demand = Demand(facts.pairs, reads + 1, writes + 1, symbols + 4)
    return Tokens(tuple(choices), demand, shared, copies, longest, kind == "bpe")


def _side(
    facts: Facts, side: SideFacts, *, is_target: bool, copies: bool
) -> tuple[list[RecipeLine], float]:
    """The lines of one side, and tokens of a text."""
    name = "target" if is_target else "source"
    key = f"tokenizer.{name}"
    if is_target and facts.labels:
        reason = f"{side.distinct} different targets: each is one symbol, a name to choose"
        return [RecipeLine(f"{key}.kind", "whitespace", reason)], max(1.0, side.words)
    if side.is_closed:
        reason = (
            f"{name}s are of {side.vocabulary} different symbols with spaces between them, "
            "and new ones are rare"
        )
        return [RecipeLine(f"{key}.kind", "whitespace", reason)], side.words
    if is_sentences(side) and facts.pairs >= _SENTENCES:
        size = _pieces(facts, side)
        reason = f"{name}s are sentences, {side.words:.0f} words on average: pieces of words"
        return [
            RecipeLine(f"{key}.kind", "bpe", reason),
            RecipeLine(f"{key}.vocabulary_size", size, "so that each piece occurs often enough"),
            *_normal_form(side, key, composed=True),
        ], side.words * 1.5
    turned: list[RecipeLine] = []
    if is_target and facts.tags and facts.beginning > facts.ending:
        reason = "tags change the ending, so it is written first"
        turned = [RecipeLine(f"{key}.right_to_left", True, reason)]
    if side.script:
        reason = f"{name}s have no spaces to cut at"
    elif is_sentences(side):
        reason = f"{facts.pairs:,} pairs are too few to learn pieces of words from"
    elif name == "target" and side.distinct > 1000 and side.spaced < 0.1:
        reason = f"{side.distinct:,} different targets: letters make all of them"
    else:
        reason = f"{name}s are short, {side.characters:.0f} characters on average"
    composed = copies or is_target
    form = _normal_form(side, key, composed=composed)
    length = side.characters
    if form and form[0].value == "nfd":
        length *= 1.2 if side.decomposed * 4 > side.alphabet else 2.4
    return [RecipeLine(f"{key}.kind", "character", reason), *form, *turned], length


def _normal_form(side: SideFacts, key: str, *, composed: bool) -> list[RecipeLine]:
    if not side.composes:
        return []
    key = f"{key}.normalization"
    if composed:
        return [RecipeLine(key, "nfc", "the same letter is always the same symbol")]
    if side.decomposed * 4 <= side.alphabet:
        reason = f"{side.alphabet:,} characters are made of {side.decomposed} parts"
    else:
        reason = "a letter and its accent are two symbols"
    return [RecipeLine(key, "nfd", reason)]


def _pieces(facts: Facts, side: SideFacts) -> int:
    words = facts.pairs * side.words
    size = min(_LARGEST, max(_SMALLEST, side.alphabet * 2, words / _WORDS_A_PIECE))
    return round(size / 100) * 100


def _copies(facts: Facts) -> bool:
    """Whether the target's characters come from its own source, more than letters do anyway."""
    return (
        facts.kind == "text"
        and not facts.labels
        and not facts.target.is_closed
        and facts.shared >= 0.4
        and facts.shared - facts.by_chance >= 0.2
    )
