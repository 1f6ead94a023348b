"""Some pairs of train: gates are learnt on them, adapters are held to them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable

from transduce.config import Config
from transduce.reading.pair_files import Example, Pair, group_examples
from transduce.reading.parts import part_tags, parts_of
from transduce.reading.problems import Problems
from transduce.workflow.corpora.corpora import open_part

__all__ = ["train_sample"]

_MOST = 8000  # pairs, of all parts


def train_sample(
    config: Config, most: int = _MOST, read: int | None = None
) -> dict[str, list[Example]]:
    """At most so many training pairs by part, "" where there are no parts; of each as many.

    Of each part all of train is read, or its first ``read`` pairs, and each pair is as likely; the
    same ones each time. Raises ConfigError, DataError.
    """
    parts, problems = parts_of(config), Problems(config.data.on_error)
    tags = part_tags(parts)
    count = max(1, most // len(parts))
    return {
        name: _drawn(
            itertools.islice(open_part(part, tags, problems, problems).plain(), read), count
        )
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
