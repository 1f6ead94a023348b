"""Rows of symbols cut anew at random: the same text in other pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from random import Random
from typing import Any, Protocol

from transduce.errors import ConfigError
from transduce.interfaces import UNKNOWN
from transduce.tokenization.pipelines import BYTES, SPECIALS, make_pre_tokenizer
from transduce.tokenization.sampling.dropped_merges import DroppedMerges
from transduce.tokenization.sampling.sampled_pieces import SampledPieces
from transduce.tokenization.tokenizer import Tokenizer

__all__ = ["SubwordSampler"]

_MOST_WORDS = 1 << 17  # that are kept

_FIRST_BYTE = len(SPECIALS)
_FIRST_PIECE = len(SPECIALS + BYTES)


class _WordSampler(Protocol):
    """Cuts one word at random."""

    def word(self, text: str) -> Any:
        """What is worth keeping of a word; None where it has no other cutting."""
        ...

    def cut(self, word: Any, chance: Random) -> Sequence[int]:
        """One way to cut it."""
        ...


class SubwordSampler:
    """Cuts the text of a row of symbols anew, each time at random.

    Tags stay, and so do words that are spelled with bytes. Words are what the tokenizer itself
    looks at one by one; what is known of each is kept.
    """

    def __init__(self, tokenizer: Tokenizer, strength: float) -> None:
        """``strength`` is the share of merges that are left out (bpe), or the power of
        probabilities (unigram). Raises ConfigError where the tokenizer has no pieces to choose.
        """
        cut = make_pre_tokenizer(tokenizer.kind)
        if tokenizer.kind not in ("bpe", "unigram") or cut is None:
            raise ConfigError(
                f"tokenizer must be of kind bpe or unigram to sample subwords; got {tokenizer.kind}"
            )
        model = json.loads(tokenizer.to_json())["model"]
        make = _dropped_merges if tokenizer.kind == "bpe" else _sampled_pieces
        self._sampler = make(model, strength)
        self._words = cut.pre_tokenize_str
        self._texts = [entry.encode() for entry in tokenizer.entries]
        self._texts[_FIRST_BYTE:_FIRST_PIECE] = [bytes([byte]) for byte in range(256)]
        self._first_tag = tokenizer.first_tag
        self._turn = -1 if tokenizer.config.right_to_left else 1
        self._known: dict[str, Any] = {}

    def sample(self, row: Sequence[int], chance: Random) -> list[int]:
        """Other symbols of the same text as ``row``, which holds no BEGIN, END or PADDING."""
        numbers: list[int] = []
        for plain, run in groupby(row[:: self._turn], self._is_text):
            found = list(run)
            numbers += self._cut(found, chance) if plain else found
        return numbers[:: self._turn]

    def _is_text(self, number: int) -> bool:
        return number != UNKNOWN and number < self._first_tag

    def _cut(self, run: list[int], chance: Random) -> list[int]:
        try:
            text = b"".join([self._texts[number] for number in run]).decode()
        except UnicodeDecodeError:  # cut off between the bytes of a character
            return run
        numbers: list[int] = []
        place = 0  # in the run
        for word, end in self._with_ends(text, run):
            known = self._of(word)
            numbers += run[place:end] if known is None else self._sampler.cut(known, chance)
            place = end
        return numbers

    def _with_ends(self, text: str, run: list[int]) -> Iterator[tuple[str, int]]:
        """Words, and behind which symbol of the run each ends."""
        read = seen = place = 0  # bytes of words and of symbols
        for word, _ in self._words(text):
            read += len(word.encode())
            while seen < read:
                seen += len(self._texts[run[place]])
                place += 1
            yield word, place

    def _of(self, word: str) -> Any:
        try:
            return self._known[word]
        except KeyError:
            if len(self._known) >= _MOST_WORDS:
                self._known.clear()
            found = self._known[word] = self._sampler.word(word)
            return found


class _Spelled:
    """Byte-pair encoding of a word that is given as a text."""

    def __init__(self, merges: DroppedMerges, letters: dict[str, int]) -> None:
        self._merges = merges
        self._letters = letters
        self.cut = merges.cut

    def word(self, text: str) -> Any:
        if not self._letters.keys() >= set(text):
            return None
        return self._merges.word([self._letters[letter] for letter in text])


def _dropped_merges(model: dict[str, Any], share: float) -> _WordSampler:
    numbers: dict[str, int] = model["vocab"]
    merges = {
        (numbers[left], numbers[right]): (rank, numbers[left + right])
        for rank, (left, right) in enumerate(model["merges"])
    }
    letters = {entry: number for entry, number in numbers.items() if len(entry) == 1}
    return _Spelled(DroppedMerges(merges, share), letters)


def _sampled_pieces(model: dict[str, Any], power: float) -> _WordSampler:
    numbered = enumerate(model["vocab"])
    pieces = {piece: (n, log) for n, (piece, log) in numbered if n >= _FIRST_PIECE}
    return SampledPieces(pieces, power)
