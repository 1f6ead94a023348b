"""What a record says of the search and of the tokenizers, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast, get_args

from transduce.errors import ModelError
from transduce.interfaces import Stopping
from transduce.light.notes.noted_numbers import count_of, size_of
from transduce.workflow.predicting.source_limits import SourceLimits

if TYPE_CHECKING:
    from transduce.config import TokenizerConfig

__all__ = ["NotedSearch", "noted_limits", "plain_options"]

_MOST_BEAMS = 1024
_NORMALIZATIONS = ("none", "average", "gnmt", "power")


@dataclass(frozen=True)
class NotedSearch:
    """The options of a search that kernels make as a whole, in the words of ``SearchConfig``."""

    beam: int
    nbest: int
    length_normalization: str
    length_alpha: float
    stopping: Stopping
    forced_end: bool
    min_length: int
    max_length: int
    min_length_ratio: float | None
    max_length_ratio: float | None
    max_source_length: int | None
    batch_tokens: int

    @classmethod
    def of(cls, noted: Mapping[str, Any]) -> NotedSearch:
        """Raises ModelError, KeyError, TypeError where one is none."""
        if noted["length_normalization"] not in _NORMALIZATIONS:
            raise ModelError("length_normalization must be a known one")
        if noted["stopping"] not in get_args(Stopping):
            raise ModelError("stopping must be a known one")
        longest = noted["max_source_length"]
        return cls(
            beam=size_of(noted["beam"]),
            nbest=size_of(noted["nbest"]),
            length_normalization=str(noted["length_normalization"]),
            length_alpha=float(noted["length_alpha"]),
            stopping=noted["stopping"],
            forced_end=bool(noted["forced_end"]),
            min_length=count_of(noted["min_length"]),
            max_length=size_of(noted["max_length"]),
            min_length_ratio=_ratio(noted["min_length_ratio"]),
            max_length_ratio=_ratio(noted["max_length_ratio"]),
            max_source_length=None if longest is None else size_of(longest),
            batch_tokens=int(noted["batch_tokens"]),
        )

    def asked(self, beam: int | None, nbest: int | None) -> NotedSearch | None:
        """With ``--beam`` and ``--nbest``, as ``search_options`` has them; None where they are to
        be refused.
        """
        if beam is None and nbest is not None:
            beam = max(nbest, self.beam)
        beam, nbest = beam or self.beam, nbest or self.nbest
        if not 1 <= nbest <= beam <= _MOST_BEAMS:
            return None
        return replace(self, beam=beam, nbest=nbest)

    def capped(self, outputs: int | None) -> NotedSearch:
        """With outputs no longer than that (None: as they are)."""
        if outputs is None or self.max_length <= outputs:
            return self
        return replace(self, max_length=outputs, min_length=min(self.min_length, outputs))


def noted_limits(noted: Mapping[str, Any]) -> SourceLimits:
    """How long a source may be."""
    known = noted["positions"], noted["outputs"]
    positions, outputs = (None if number is None else size_of(number) for number in known)
    each, pairs = float(noted["each"]), float(noted["pairs"])
    shrinks = size_of(noted["shrinks"])
    return SourceLimits(str(noted["unit"]), shrinks, positions, each, pairs, None, outputs)


def _ratio(value: Any) -> float | None:
    return None if value is None else float(value)


@dataclass(frozen=True)
class _PlainOptions:
    """What encoding and decoding read of ``TokenizerConfig``."""

    kind: str
    normalization: str = "none"
    lowercase: bool = False
    right_to_left: bool = False

    def __post_init__(self) -> None:
        kinds = ("character", "whitespace", "word", "bpe", "unigram", "byte")
        if self.kind not in kinds or self.normalization not in ("none", "nfc", "nfd", "nfkc"):
            raise ValueError("kind and normalization must be known ones")


def plain_options(noted: Mapping[str, Any]) -> TokenizerConfig:
    """The options of a tokenizer without the library that checks them: they were checked when they
    were noted. Raises TypeError, ValueError.
    """
    return cast("TokenizerConfig", _PlainOptions(**noted))
