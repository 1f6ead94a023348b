"""What is in the pairs, in numbers: all that the choice of a recipe looks at."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from transduce.tokenization.tags import TAG_OPEN, find_tags, without_tags

__all__ = ["Facts", "SideFacts", "facts_of"]

_LOOKED_AT = 20_000  # pairs, evenly spaced, so that sorted data is seen from end to end
_ALIGNED = 2000  # pairs whose sides are compared letter by letter
_UNSPACED = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


@dataclass(frozen=True)
class SideFacts:
    """Texts of one side, tags taken off. Of recordings and pictures all is 0."""

    distinct: int = 0  # texts
    characters: float = 0.0  # of a text, on average
    longest: int = 0  # characters
    words: float = 0.0  # between spaces, of a text, on average
    most_words: int = 0
    alphabet: int = 0  # distinct characters
    decomposed: int = 0  # distinct characters after NFD
    composes: bool = False  # some characters change with the normal form
    digits: float = 0.0  # share of all characters
    spaced: float = 0.0  # share of texts with a space inside
    vocabulary: int = 0  # distinct words
    once: float = 0.0  # share of all words whose word stands there only once
    script: str = ""  # "han", "unspaced" or ""

    @property
    def is_closed(self) -> bool:
        """Whether words are few symbols that come again and again, as phones or commands do."""
        return self.spaced >= 0.5 and self.vocabulary <= 1000 and self.once <= 0.02


@dataclass(frozen=True)
class Facts:
    """What a data set is. Counts are of the pairs that were looked at, ``pairs`` of all.

    ``read`` are those that were read, of which some were looked at, evenly spaced; the longest
    target is that of all of them.
    """

    pairs: int
    sources: int  # distinct
    read: int
    looked_at: int
    source: SideFacts
    target: SideFacts
    kind: str = "text"  # of the sources: text, audio or image
    several: int = 0  # sources with more than one target
    equal: float = 0.0  # share of pairs whose source is the target
    shared: float = 0.0  # share of the target's characters that stand in its source
    by_chance: float = 0.0  # the same with another pair's source
    beginning: float = 0.0  # share of the target's characters that begin the source too
    ending: float = 0.0  # that end it too
    alphabets: float = 0.0  # share of the target's alphabet that sources have
    tags: int = 0  # distinct
    tags_a_source: float = 0.0

    @property
    def labels(self) -> bool:
        """Whether a target is one of a few names, so that the task is to choose one."""
        target = self.target
        return (
            0 < target.distinct <= 100
            and self.looked_at >= 20 * target.distinct
            and target.digits < 0.5
            and target.words <= 1.5
        )


def facts_of(pairs: Sequence[tuple[str, str]], *, total: int, kind: str = "text") -> Facts:
    """Look at pairs, the first of ``total``; the same pairs have the same facts."""
    read = len(pairs)
    longest = max((len(target) for _, target in pairs), default=0)
    pairs = pairs[:: -(-len(pairs) // _LOOKED_AT) or 1]
    sources = [source for source, _ in pairs]
    targets = [target for _, target in pairs]
    tags: Counter[str] = Counter()
    by_source: dict[str, set[str]] = {}
    for source, target in pairs:
        by_source.setdefault(source, set()).add(target)
    plain = sources
    if any(TAG_OPEN in source for source in sources):
        found = [find_tags(source) for source in sources]
        tags.update(tag for each in found for tag in each)
        plain = [without_tags(source).strip() for source in sources]
    target_facts = replace(_side(targets), longest=longest)
    common = {
        "pairs": total,
        "sources": round(total * len(by_source) / max(1, len(pairs))),
        "read": read,
        "looked_at": len(pairs),
        "target": target_facts,
        "several": sum(len(of) > 1 for of in by_source.values()),
    }
    if kind != "text":
        return Facts(**common, source=SideFacts(), kind=kind)  # type: ignore[arg-type]
    source_facts = _side(plain)
    letters = set("".join(targets)) - {" "}
    known = set("".join(plain))
    some = list(zip(plain, targets, strict=True))
    step = max(1, len(some) // _ALIGNED)
    some = some[::step][:_ALIGNED]
    shift = max(1, len(some) // 2)
    others = [source for source, _ in (*some[shift:], *some[:shift])]
    length = max(1, sum(len(target) for _, target in some))
    return Facts(
        **common,  # type: ignore[arg-type]
        source=source_facts,
        equal=sum(s == t for s, t in zip(plain, targets, strict=True)) / max(1, len(pairs)),
        shared=sum(_common(s, t) for s, t in some) / length,
        by_chance=sum(_common(o, t) for o, (_, t) in zip(others, some, strict=True)) / length,
        beginning=sum(_prefix(s, t) for s, t in some) / length,
        ending=sum(_prefix(s[::-1], t[::-1]) for s, t in some) / length,
        alphabets=len(letters & known) / max(1, len(letters)),
        tags=len(tags),
        tags_a_source=tags.total() / max(1, len(pairs)),
    )


def _side(texts: Sequence[str]) -> SideFacts:
    if not texts:
        return SideFacts()
    characters = Counter("".join(texts))
    split = [text.split() for text in texts]
    words: Counter[str] = Counter()
    for each in split:
        words.update(each)
    total, count = characters.total(), words.total()
    letters = [c for c in characters if not c.isspace()]
    together = "".join(letters)
    return SideFacts(
        distinct=len(set(texts)),
        characters=total / len(texts),
        longest=max(map(len, texts)),
        words=count / len(texts),
        most_words=max(map(len, split)),
        alphabet=len(characters),
        decomposed=len(set(unicodedata.normalize("NFD", together))),
        composes=any(unicodedata.normalize("NFD", c) != c for c in letters)
        or any(unicodedata.combining(c) for c in letters),
        digits=sum(n for c, n in characters.items() if c.isdigit()) / max(1, total),
        spaced=sum(len(each) > 1 for each in split) / len(texts),
        vocabulary=len(words),
        once=sum(n == 1 for n in words.values()) / max(1, count),
        script=_script(characters),
    )


def _script(characters: Counter[str]) -> str:
    """Whether most letters are of a script that puts no spaces between words."""
    counts: Counter[str] = Counter()
    for character, count in characters.most_common(500):
        if character.isalpha():
            name = unicodedata.name(character, "")
            counts[next((s for s in _UNSPACED if name.startswith(s)), "")] += count
    if not counts or counts[""] * 2 > counts.total():
        return ""
    return "han" if counts["CJK UNIFIED"] * 2 > counts.total() else "unspaced"


def _common(source: str, target: str) -> int:
    """Characters of the target that stand in the source, each as often as there."""
    return (Counter(source) & Counter(target)).total()


def _prefix(left: str, right: str) -> int:
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return count
