"""What dev and test hold that train never shows: symbols, lengths, columns the other way round."""

from __future__ import annotations

import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from transduce.config.data import TokenizerConfig
from transduce.tokenization.tags import without_tags

__all__ = ["SymbolRule", "Unseen", "is_crossed", "rule_of"]

_MOST_SYMBOLS = 500_000  # different ones that are held
_SHOWN = 5
_CROSSED = 0.5  # of two sides' shares of known characters together


@dataclass(frozen=True)
class SymbolRule:
    """What a symbol of one side is: a character, or what stands between spaces."""

    words: bool = False
    form: str = "none"
    lowercase: bool = False

    def symbols(self, text: str) -> Iterable[str]:
        """Of a text without its tags; a space is none."""
        text = without_tags(text)
        if self.form != "none":
            text = unicodedata.normalize(self.form.upper(), text)  # type: ignore[arg-type]
        if self.lowercase:
            text = text.lower()
        return text.split() if self.words else set(text) - {" "}


def rule_of(tokenizer: TokenizerConfig) -> SymbolRule | None:
    """None where no text has an unknown symbol: the vocabulary holds all bytes."""
    if tokenizer.kind not in ("character", "whitespace", "word"):
        return None
    words = tokenizer.kind != "character"
    return SymbolRule(words, tokenizer.normalization, tokenizer.lowercase)


@dataclass
class Unseen:
    """One side of one split, beside the same side of ``train`` (None: it is train itself)."""

    rule: SymbolRule | None
    train: Unseen | None = None
    longest: int = 0  # characters
    strange: Counter[str] = field(default_factory=Counter)
    with_strange: array[int] = field(default_factory=lambda: array("q"))
    longer: array[int] = field(default_factory=lambda: array("q"))
    _seen: set[str] = field(default_factory=set)

    def add(self, texts: Sequence[str], lengths: Sequence[int], start: int) -> None:
        """Take in texts, the first of them number ``start``, and their lengths."""
        self.longest = max(self.longest, max(lengths, default=0))
        if self.train is None:
            if self.rule is not None and len(self._seen) <= _MOST_SYMBOLS:
                self._seen.update(*map(self.rule.symbols, texts))
            return
        for number, (text, length) in enumerate(zip(texts, lengths, strict=True), start):
            if length > self.train.longest:
                self.longer.append(number)
            if unknown := set(self.train.lacking(text)):
                self.strange.update(unknown)
                self.with_strange.append(number)

    def lacking(self, text: str) -> Iterator[str]:
        """Symbols of a text that were not seen; none where too many were to be held."""
        if self.rule is None or not self._seen or len(self._seen) > _MOST_SYMBOLS:
            return iter(())
        return (symbol for symbol in self.rule.symbols(text) if symbol not in self._seen)

    def shown(self) -> str:
        """The most frequent of the symbols that train has not."""
        symbols = sorted(self.strange, key=lambda each: (-self.strange[each], each))[:_SHOWN]
        return " ".join(symbols) + (" …" if len(self.strange) > _SHOWN else "")


def is_crossed(
    split: tuple[Counter[str], Counter[str]], train: tuple[Counter[str], Counter[str]]
) -> bool:
    """Whether the sources' characters are those of train's targets, and the other way round."""
    straight = _known(split[0], train[0]) + _known(split[1], train[1])
    return _known(split[0], train[1]) + _known(split[1], train[0]) > straight + _CROSSED


def _known(counts: Counter[str], train: Counter[str]) -> float:
    """The share of the characters that train has."""
    total = sum(counts.values())
    return sum(n for symbol, n in counts.items() if symbol in train) / max(total, 1)
