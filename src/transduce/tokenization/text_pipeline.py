"""What an imported tokenizer asks of what cuts its texts, be it the library's or one of pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

__all__ = ["TextPipeline"]


class _Decoder(Protocol):
    def decode(self, tokens: list[str], /) -> str: ...


class TextPipeline(Protocol):
    """The part of a ``tokenizers.Tokenizer`` that is used, with the library's own names."""

    def encode(self, text: str, /, *, add_special_tokens: bool = ...) -> Any:
        """The ``ids`` and ``tokens`` of a text."""

    def encode_batch(self, texts: Sequence[str], /, *, add_special_tokens: bool = ...) -> list[Any]:
        """Likewise of several."""

    def decode(self, ids: Sequence[int], /, *, skip_special_tokens: bool = ...) -> str:
        """The text of some numbers."""

    @property
    def decoder(self) -> _Decoder:
        """What joins tokens by name."""

    def id_to_token(self, number: int, /) -> str | None:
        """The name of a token."""

    def token_to_id(self, name: str, /) -> int | None:
        """The number of a token."""

    def get_vocab(self) -> dict[str, int]:
        """All tokens."""

    def get_vocab_size(self) -> int:
        """How many numbers there are."""

    def get_added_tokens_decoder(self) -> Mapping[int, Any]:
        """The added tokens by number."""

    def add_tokens(self, tokens: Any, /) -> int:
        """Add some, and say how many are new."""

    def to_str(self) -> str:
        """The content of tokenizer.json."""
