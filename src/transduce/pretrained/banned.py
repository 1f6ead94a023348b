"""What a checkpoint says that its outputs never hold: phrases, symbols, first symbols."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transduce.data.numbering import Numbering
from transduce.pretrained.folder import Checkpoint
from transduce.pretrained.generation import generation_settings, pass_over

__all__ = ["Banned", "banned"]

_PHRASES, _SYMBOLS, _FIRST = "bad_words_ids", "suppress_tokens", "begin_suppress_tokens"


@dataclass(frozen=True)
class Banned:
    """In the checkpoint's own numbers: ``phrases`` that no output holds, ``first`` symbols that
    none begins with.
    """

    phrases: tuple[tuple[int, ...], ...] = ()
    first: tuple[int, ...] = ()


def banned(checkpoint: Checkpoint, numbering: Numbering) -> Banned:
    """What ``generate`` bans by ``bad_words_ids``, ``suppress_tokens``, ``begin_suppress_tokens``.

    Padding and unknown symbols are never written anyway, and a ban of the end alone counts as none
    among bad words. What our search cannot ban is named in the log.
    """
    settings = generation_settings(checkpoint)
    special = {numbering.padding, numbering.unknown, numbering.end}
    phrases: list[tuple[int, ...]] = []
    refused: dict[str, list[Any]] = {}
    for name, phrase in _phrases(settings):
        if len(phrase) == 1 and phrase[0] in special:
            if name == _SYMBOLS and phrase[0] == numbering.end:
                refused.setdefault(name, []).append(phrase[0])
        elif special & set(phrase) or not all(0 <= n < numbering.size for n in phrase):
            refused.setdefault(name, []).append(list(phrase))
        else:
            phrases.append(phrase)
    for name, values in refused.items():
        pass_over(checkpoint, name, values)
    first = _numbers(settings.get(_FIRST))
    return Banned(tuple(dict.fromkeys(phrases)), tuple(n for n in first if 0 <= n < numbering.size))


def _phrases(settings: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Each phrase with the option that it stands in."""
    for phrase in settings.get(_PHRASES) or ():
        if phrase:
            yield _PHRASES, tuple(phrase)
    for number in _numbers(settings.get(_SYMBOLS)):
        if number >= 0:
            yield _SYMBOLS, (number,)


def _numbers(given: Iterable[int] | None) -> tuple[int, ...]:
    return tuple(given or ())
