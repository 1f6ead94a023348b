"""A SentencePiece model with the face of a ``tokenizers.Tokenizer``: the same numbers and texts.

The library's own steps come close and no closer: they rewrite by grapheme, know no space
at a text's end, no symbol that is always whole and no piece that no text becomes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from tokenizers import AddedToken

from transduce.errors import ModelError
from transduce.tokenization.pieces.likeliest import UnigramCutter
from transduce.tokenization.pieces.merging import MergeCutter
from transduce.tokenization.pieces.piece_model import Pieces
from transduce.tokenization.pieces.rewriting import Rewriter
from transduce.tokenization.pieces.spelling import Speller
from transduce.tokenization.pieces.words import Cut
from transduce.tokenization.texts import to_bytes
from transduce.untrusted.tokenizer_json import MOST_SYMBOLS

__all__ = ["PIECES", "PiecePipeline"]

PIECES = "SentencePiece"  # the type of such a model in tokenizer.json
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
_MOST_ADDED = 1 << 17
_LONGEST = 4096


class PieceEncoding:
    """The pieces of a text: ``ids`` their numbers, ``tokens`` as they stand in it."""

    def __init__(self, cuts: Sequence[Cut], unknown: int, bytes_: Mapping[int, int]) -> None:
        """Join what was cut; unknown characters in a row are one piece, or ``bytes_``."""
        self._cuts = cuts
        self._unknown = unknown
        self._bytes = bytes_
        self.ids: list[int] = list(chain.from_iterable(cut.numbers for cut in cuts))
        if unknown in self.ids:
            self.ids = [number for number, _ in self._joined()]

    @property
    def tokens(self) -> list[str]:
        """Each piece as it stands in the text."""
        return [surface for _, surface in self._joined()]

    def _joined(self) -> list[tuple[int, str]]:
        joined: list[tuple[int, str]] = []
        for number, surface in chain.from_iterable(zip(*cut, strict=True) for cut in self._cuts):
            if number != self._unknown:
                joined.append((number, surface))
            elif self._bytes:
                joined += [(self._bytes[b], f"<0x{b:02X}>") for b in surface.encode()]
            elif joined and joined[-1][0] == self._unknown:
                joined[-1] = number, joined[-1][1] + surface
            else:
                joined.append((number, surface))
        return joined


class PiecePipeline:
    """Texts to the numbers of pieces and back; ``added`` tokens are found in texts as they are."""

    def __init__(self, pieces: Pieces, added: Mapping[int, AddedToken] | None = None) -> None:
        """Raise ModelError where the model has no piece for each byte and must have."""
        self.pieces = pieces
        self.decoder = Speller(pieces)
        self._rewrite = Rewriter(pieces)
        self._cut = MergeCutter(pieces) if pieces.bpe else UnigramCutter(pieces)
        self._bytes: dict[int, int] = {}
        if pieces.byte_fallback:
            self._bytes = {n: pieces.reserved.get(f"<0x{n:02X}>", -1) for n in range(256)}
            if min(self._bytes.values()) < 0:
                raise ModelError("vocabulary must have a piece for each byte")
        self._added: dict[int, AddedToken] = {}
        self._numbers = {name: number for number, name in enumerate(pieces.names)}
        self._tokens: re.Pattern[str] | None = None
        self._found: dict[str, int] = {}
        self._add(added or {})

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled without what it remembers of texts."""
        return _restored, (self.to_str(),)

    # ------------------------------------------------ texts

    def encode(self, text: str, add_special_tokens: bool = False) -> PieceEncoding:
        """The pieces of a text; nothing is put around it."""
        cuts: list[Cut] = []
        for part, number in self._parts(text):
            if number is not None:
                cuts.append(Cut([number], [part]))
            elif normal := self._rewrite(part):
                cuts += self._cut(normal)
        return PieceEncoding(cuts, self.pieces.unknown, self._bytes)

    def encode_batch(
        self, texts: Sequence[str], add_special_tokens: bool = False
    ) -> list[PieceEncoding]:
        """Likewise of several. Raises DataError where one is not valid Unicode."""
        for text in texts:
            to_bytes(text)
        return [self.encode(text) for text in texts]

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of some numbers; what has none is passed over."""
        return self.decoder.spell(self._named(ids, skip_special_tokens))

    def _named(self, ids: Iterable[int], skip: bool) -> Iterator[tuple[int | None, str]]:
        for number in ids:
            if (token := self._added.get(number)) is not None:
                if not (skip and token.special):
                    yield None, token.content
            elif 0 <= number < len(self.pieces.names):
                yield number, self.pieces.names[number]

    def _parts(self, text: str) -> Iterator[tuple[str, int | None]]:
        """What stands between added tokens, and these with their numbers."""
        place = 0
        for found in () if self._tokens is None else self._tokens.finditer(text):
            if found.start() > place:
                yield text[place : found.start()], None
            content = found.group()
            if content not in self._found:
                content = content.strip()
            yield content, self._found[content]
            place = found.end()
        if place < len(text):
            yield text[place:], None

    # ------------------------------------------------ the vocabulary

    def id_to_token(self, number: int) -> str | None:
        """The name of a piece or an added token; None where there is none."""
        if (token := self._added.get(number)) is not None:
            content: str = token.content
            return content
        return self.pieces.names[number] if 0 <= number < len(self.pieces.names) else None

    def token_to_id(self, name: str) -> int | None:
        """The number of a piece or an added token; None where there is none."""
        return self._numbers.get(name)

    def get_vocab(self) -> dict[str, int]:
        """All of them."""
        return dict(self._numbers)

    def get_vocab_size(self) -> int:
        """One more than the largest number."""
        return max(len(self.pieces.names), *(number + 1 for number in self._added), 0)

    def get_added_tokens_decoder(self) -> dict[int, AddedToken]:
        """The added tokens by number."""
        return dict(self._added)

    def add_tokens(self, tokens: Sequence[AddedToken]) -> int:
        """Add some, numbered from the largest number on, and say how many; pieces keep theirs."""
        size, added = self.get_vocab_size(), dict[int, AddedToken]()
        for token in tokens:
            number = self._numbers.get(token.content)
            added[size + len(added) if number is None else number] = token
        self._add(added)
        return len(added)

    def _add(self, added: Mapping[int, AddedToken]) -> None:
        self._added |= added
        if len(self._added) > _MOST_ADDED or max(self._added, default=0) >= MOST_SYMBOLS:
            raise ModelError(f"added tokens must be {_MOST_ADDED:,} at most")
        for number, token in added.items():
            if not 0 < len(token.content) <= _LONGEST:
                raise ModelError(f"added tokens must have 1 to {_LONGEST} characters")
            self._numbers[token.content] = number
        self._found = {token.content: number for number, token in self._added.items()}
        by_length = sorted(self._added.values(), key=lambda token: -len(token.content))
        patterns = "|".join(map(_pattern, by_length))
        self._tokens = re.compile(patterns) if patterns else None

    # ------------------------------------------------ files

    def to_str(self) -> str:
        """The content of tokenizer.json, which is ours alone: the library knows no such model."""
        added = [
            {"id": number, "content": token.content}
            | {flag: getattr(token, flag) for flag in _FLAGS}
            for number, token in sorted(self._added.items())
        ]
        model = {"type": PIECES, "pieces": self.pieces.to_state()}
        return json.dumps({"version": "1.0", "model": model, "added_tokens": added})

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> PiecePipeline:
        """From that content. Raises KeyError, TypeError, ValueError, ModelError otherwise."""
        added: dict[int, AddedToken] = {}
        for token in state["added_tokens"]:
            number, content = token["id"], token["content"]
            if type(number) is not int or number < 0 or type(content) is not str:
                raise ValueError("added tokens must have a number and a content")
            added[number] = AddedToken(content, **{flag: bool(token[flag]) for flag in _FLAGS})
        return cls(Pieces.from_state(state["model"]["pieces"]), added)


def _pattern(token: AddedToken) -> str:
    pattern = re.escape(token.content)
    if token.single_word:
        pattern = rf"(?<!\w){pattern}(?!\w)"
    spaces = r"\s*"
    return f"{spaces * token.lstrip}{pattern}{spaces * token.rstrip}"


def _restored(text: str) -> PiecePipeline:
    return PiecePipeline.from_state(json.loads(text))
