"""What bears on the outputs of one call beside the options of a search, in numbers of tokens."""

from __future__ import annotations

from dataclasses import dataclass

from transduce.search.rules.adjustments import UNADJUSTED, Adjustments

__all__ = ["NO_RULES", "OutputRules"]

Phrase = tuple[int, ...]


@dataclass(frozen=True)
class OutputRules:
    """``first`` stands in the place of what every output of the model begins with (None: as it
    is); outputs hold no phrase of ``forbidden``, each of ``required``, and begin with none of
    ``banned_first``, beside what the model's own tokenizer bans.
    """

    first: Phrase | None = None
    banned_first: Phrase = ()
    forbidden: tuple[Phrase, ...] = ()
    required: tuple[Phrase, ...] = ()
    adjustments: Adjustments = UNADJUSTED


NO_RULES = OutputRules()
