"""Some pairs of train, on which gates are learnt."""

from __future__ import annotations

import random
from collections.abc import Iterable

from transduce.config import Config
from transduce.reading.pair_files import Example, Pair, group_examples
from transduce.reading.parts import part_tags, parts_of
from transduce.reading.problems import Problems
from transduce.workflow.corpora.corpora import open_part

__all__ = ["train_sample"]

_MOST = 8000  # pairs, of all parts


def train_sample(config: Config, most: int = _MOST) -> dict[str, list[Example]]:
    """At most so many training pairs by part, "" where there are no parts; of each as many.

    All of train is read, and each pair of it is as likely; the same ones each time. Raises
    ConfigError, DataError.
    """
    parts, problems = parts_of(config), Problems(config.data.on_error)
    tags = part_tags(parts)
    count = max(1, most // len(parts))
    return {
        name: _drawn(open_part(part, tags, problems, problems).plain(), count)
        for name, part in parts.items()
    }


def _drawn(pairs: Iterable[Pair], count: int) -> list[Example]:
    """Algorithm R of Vitter (1985)."""
    chance = random.Random(1)
    kept: list[Pair] = []
    for number, pair in enumerate(pairs):
        if number < count:
            kept.append(pair)
        elif (place := chance.randrange(number + 1)) < count:
            kept[place] = pair
    return group_examples(kept)
