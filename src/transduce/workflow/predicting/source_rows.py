"""Sources that are text as rows of symbols, each as long as it may be or an error in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from transduce.errors import DataError
from transduce.workflow.predicting.source_limits import SourceLimits

if TYPE_CHECKING:  # what predicts without torch (transduce.light) reads texts, too
    from transduce.reading.frames import FrameSource
    from transduce.tokenization.joint import Coder

__all__ = ["Arriving", "read_ahead", "source_rows"]

_CHARACTERS_AHEAD = 1 << 22  # of texts that are cut into symbols together


@runtime_checkable
class Arriving(Protocol):
    """Sources that another program may write one by one."""

    def pausing(self) -> bool:
        """Whether no source is there yet."""
        ...


class Prefixed(Protocol):
    """What stands in front of every text: the part of a mixture."""

    def source(self, text: str) -> str:
        """The text with that."""
        ...


class Cutting(Protocol):
    """Options of a search that sources are cut by."""

    @property
    def max_source_length(self) -> int | None:
        """In symbols, END counted."""
        ...


def read_ahead(
    sources: Iterator[FrameSource | DataError], window: int
) -> list[FrameSource | DataError]:
    """The next sources, as many as ``window`` and memory allow and as have arrived."""
    ahead: list[FrameSource | DataError] = []
    characters = 0
    arriving = cast(Arriving, sources) if _arrive(type(sources)) else None
    while len(ahead) < window and characters < _CHARACTERS_AHEAD:
        if ahead and arriving is not None and arriving.pausing():
            break  # who writes them may wait for an answer
        source = next(sources, None)
        if source is None:
            break
        ahead.append(source)
        characters += len(source) if isinstance(source, str) else 0
    return ahead


@lru_cache(maxsize=64)  # what a protocol takes to answer is felt by a single short sentence
def _arrive(kind: type) -> bool:
    return issubclass(kind, Arriving)


def source_rows(
    sources: Sequence[FrameSource | DataError],
    tokenizer: Coder,
    part: Prefixed,
    options: Cutting,
    limits: SourceLimits,
) -> list[list[int] | DataError | None]:
    """Each source in symbols, with the tags of its part; None for a blank one.

    One longer than ``max_source_length`` is cut. What is no text, and what is too long for the
    model or the memory, is an error.
    """
    texts = [_text(source) for source in sources]
    full = [part.source(text) for text in texts if isinstance(text, str) and text.strip()]
    encoded = iter(_encoded(tokenizer, full))
    rows: list[list[int] | DataError | None] = []
    for text in texts:
        if isinstance(text, DataError):
            rows.append(text)
        elif not text.strip():
            rows.append(None)
        else:
            row = next(encoded)
            rows.append(_fitting(row, tokenizer, options, limits) if isinstance(row, list) else row)
    return rows


def _fitting(
    row: list[int], tokenizer: Coder, options: Cutting, limits: SourceLimits
) -> list[int] | DataError:
    row = _cut(row, options.max_source_length, len(tokenizer.closing))
    try:
        limits.check(len(row) + 1)  # END counts
    except DataError as error:
        return error
    return row


def _cut(row: list[int], longest: int | None, closing: int) -> list[int]:
    """At most ``longest`` symbols with END; what stands behind every text stays."""
    if longest is None or len(row) < longest:
        return row
    return row[: max(0, longest - 1 - closing)] + row[len(row) - closing :]


def _text(source: FrameSource | DataError) -> str | DataError:
    if isinstance(source, str | DataError):
        return source
    return DataError(f"source must be text for this model; got {type(source).__name__}")


def _encoded(tokenizer: Coder, texts: list[str]) -> Sequence[list[int] | DataError]:
    try:
        return tokenizer.encode_batch(texts)
    except DataError:  # of one of them, which does not say which
        return [_encoded_alone(tokenizer, text) for text in texts]


def _encoded_alone(tokenizer: Coder, text: str) -> list[int] | DataError:
    try:
        return tokenizer.encode(text)
    except DataError as error:
        return error
