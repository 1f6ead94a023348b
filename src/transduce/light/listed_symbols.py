"""The symbols of a tokenizer's file as a list: all that decoding needs, and simple encoding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from tokenizers import Tokenizer as Pipeline

from transduce.errors import ModelError
from transduce.light.noted_options import plain_options
from transduce.tokenization.tokenizer import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["reading", "writing"]

_DIRECT = ("character", "whitespace", "word", "byte")  # what our own code cuts, from a list alone


def reading(text: str, noted: Mapping[str, Any]) -> Tokenizer:
    """A tokenizer that encodes, of its file's text and its options."""
    options = plain_options(noted)
    if options.kind in _DIRECT:
        return writing(text, noted)
    return Tokenizer(Pipeline.from_str(text), options)


def writing(text: str, noted: Mapping[str, Any]) -> Tokenizer:
    """A tokenizer that decodes: the library, which takes more memory than a list, is not asked."""
    return Tokenizer(cast(Pipeline, _Listed(text)), plain_options(noted))


class _Listed:
    """What a :class:`Tokenizer` asks of the library's where it only looks symbols up."""

    def __init__(self, text: str) -> None:
        """Raises ModelError, KeyError, TypeError, ValueError where it is none of ours."""
        state = json.loads(text)
        vocabulary = state["model"]["vocab"]
        own = _in_order(vocabulary)
        added = {token["content"]: token["id"] for token in state["added_tokens"]}
        self._first_added = len(own)
        self._symbols = own + _in_order(added, len(own))

    def get_vocab_size(self, with_added_tokens: bool = True) -> int:
        """As the library says it."""
        return len(self._symbols) if with_added_tokens else self._first_added

    def id_to_token(self, number: int) -> str:
        """Likewise."""
        return self._symbols[number]


def _in_order(vocabulary: Mapping[str, int] | Sequence[Any], first: int = 0) -> list[str]:
    """Symbols by number, which go up without gaps from ``first``."""
    if isinstance(vocabulary, list):  # of pieces with their scores
        return [str(piece) for piece, _ in vocabulary]
    found = list(vocabulary)
    numbers = list(vocabulary.values())  # type: ignore[union-attr]
    if numbers != list(range(first, first + len(found))):
        found = sorted(found, key=vocabulary.__getitem__)
        if sorted(numbers) != list(range(first, first + len(found))):
            raise ModelError("symbols must be numbered without gaps")
    return found
