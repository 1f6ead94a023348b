"""What a checkpoint says that its outputs never hold: phrases, symbols, first symbols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transduce.errors import ModelError
from transduce.pretrained.checkpoint.generation import (
    generation_settings,
    pass_over,
    symbol_numbers,
)
from transduce.pretrained.checkpoint.published_checkpoint import PublishedCheckpoint
from transduce.tokenization.numbering import Numbering

__all__ = ["Banned", "banned"]

_PHRASES, _SYMBOLS, _FIRST = "bad_words_ids", "suppress_tokens", "begin_suppress_tokens"


@dataclass(frozen=True)
class Banned:
    """In the checkpoint's own numbers: ``phrases`` that no output holds, ``first`` symbols that
    none begins with.
    """

    phrases: tuple[tuple[int, ...], ...] = ()
    first: tuple[int, ...] = ()


def banned(checkpoint: PublishedCheckpoint, numbering: Numbering) -> Banned:
    """What ``generate`` bans by ``bad_words_ids``, ``suppress_tokens``, ``begin_suppress_tokens``.

    Padding and unknown symbols are never written anyway, and a ban of the end alone counts as none
    among bad words. What our search cannot ban is named in the log.
    """
    settings = generation_settings(checkpoint)
    special = {numbering.padding, numbering.unknown, numbering.end}
    phrases: list[tuple[int, ...]] = []
    refused: dict[str, list[Any]] = {}
    for name, phrase in _phrases(checkpoint.folder, settings):
        if len(phrase) == 1 and phrase[0] in special:
            if name == _SYMBOLS and phrase[0] == numbering.end:
                refused.setdefault(name, []).append(phrase[0])
        elif special & set(phrase) or not all(0 <= n < numbering.size for n in phrase):
            refused.setdefault(name, []).append(list(phrase))
        else:
            phrases.append(phrase)
    for name, values in refused.items():
        pass_over(checkpoint, name, values)
    first = symbol_numbers(checkpoint.folder, _FIRST, settings.get(_FIRST))
    return Banned(tuple(dict.fromkeys(phrases)), tuple(n for n in first if 0 <= n < numbering.size))


def _phrases(folder: Path, settings: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Each phrase with the option that it stands in. Raises ModelError."""
    phrases = settings.get(_PHRASES) or []
    if not isinstance(phrases, list):
        raise ModelError(f"{folder}: {_PHRASES} must be a list of lists of symbols' numbers")
    for given in phrases:
        if phrase := symbol_numbers(folder, _PHRASES, given):
            yield _PHRASES, phrase
    for number in symbol_numbers(folder, _SYMBOLS, settings.get(_SYMBOLS)):
        if number >= 0:
            yield _SYMBOLS, (number,)
