"""Which of the pairs that a model made are learnt from, and in which form."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transduce.batches.changes.chance_of_pairs import chance_of_pair
from transduce.errors import DataError
from transduce.untrusted.json import parse_json
from transduce.workflow.synthetic.noised_sources import noised

__all__ = ["ORIGIN", "Keeping", "KeptPairs", "usual_ratios"]

ORIGIN = "origin"  # the key of the tag that says who made a pair
_USUAL = 0.99  # of real pairs, whose ratios are usual
_LOOKED_AT = 100_000  # real pairs

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Keeping:
    """What is asked of pairs, and what becomes of those that are kept.

    ``texts`` are the keys of a source's texts. Pairs whose lengths have a ratio outside of
    ``ratios`` go, then those of which the model is less sure than ``least``, then all but the
    ``best`` share. A ``tag`` stands in front of the source, None: none can, "": there is none.
    With ``noise_seed`` sources are noised, their ``characters`` or their words.
    """

    texts: Sequence[str]
    ratios: tuple[float, float] = (0.0, math.inf)
    least: float = 0.0
    best: float = 1.0
    tag: str | None = None
    noise_seed: int | None = None
    characters: bool = False


@dataclass
class KeptPairs:
    """The records of a file that are kept; ``left_out`` counts the others by why."""

    path: Path
    keeping: Keeping
    left_out: Counter[str] = field(default_factory=Counter)

    def records(self) -> Iterator[dict[str, Any]]:
        """Each kept pair as it is learnt from. Raises DataError where the file is another's."""
        self.left_out.clear()
        least = self._least()
        for number, record in enumerate(self._read()):
            if (why := self._objection(record, least)) is None:
                yield self._finished(record, number)
            else:
                self.left_out[why] += 1

    def _least(self) -> float:
        """The confidence that the last of the best share has."""
        keeping = self.keeping
        if keeping.best == 1:
            return keeping.least
        sure = sorted(
            record["confidence"]
            for record in self._read()
            if self._objection(record, keeping.least) is None
        )
        wanted = math.ceil(keeping.best * len(sure))
        return sure[-wanted] if sure else keeping.least

    def _objection(self, record: Record, least: float) -> str | None:
        low, high = self.keeping.ratios
        if not low <= length_ratio(record, self.keeping.texts) <= high:
            return "of unusual length"
        return "not sure enough" if record.get("confidence", 1.0) < least else None

    def _finished(self, record: Record, number: int) -> dict[str, Any]:
        """A pair with its tag and its noise, which hangs on its number alone."""
        keeping = self.keeping
        found = {key: value for key, value in record.items() if key != "confidence"}
        if keeping.noise_seed is not None:
            for place, key in enumerate(keeping.texts):
                chance = chance_of_pair(keeping.noise_seed, 0, number, place)
                found[key] = noised(found[key], chance, characters=keeping.characters)
        if keeping.tag is None:
            return found
        return {ORIGIN: [keeping.tag] if keeping.tag else [], **found}

    def _read(self) -> Iterator[dict[str, Any]]:
        with self.path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    record = dict(parse_json(line))
                    own = [record[key] for key in (*self.keeping.texts, "target")]
                    sure = record.get("confidence", 0.0)
                    good = all(isinstance(text, str) for text in own) and 0 <= sure <= 1
                except (ValueError, TypeError, KeyError):
                    good = False
                if not good:
                    message = "line must be as it was written; it is not"
                    raise DataError(message, file=self.path, line=number)
                yield record


def length_ratio(record: Record, texts: Sequence[str]) -> float:
    """Characters of the target for each of the source."""
    return len(record["target"]) / max(1, sum(len(record[key]) for key in texts))


def usual_ratios(records: Iterable[Record], texts: Sequence[str]) -> tuple[float, float]:
    """The least and the largest ratio of lengths that most real pairs have."""
    first = itertools.islice(records, _LOOKED_AT)
    ratios = sorted(length_ratio(record, texts) for record in first)
    if not ratios:
        return 0.0, math.inf
    aside = int(len(ratios) * (1 - _USUAL) / 2)
    return ratios[aside], ratios[-1 - aside]
