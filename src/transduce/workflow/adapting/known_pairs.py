"""What a model knew before it is adapted: pairs that it was trained on, if they are still there."""

from __future__ import annotations

from collections.abc import Mapping

from transduce.errors import ConfigError, DataError
from transduce.workflow.corpora.train_sample import train_sample
from transduce.workflow.trained import TrainedModel

__all__ = ["KNOWN", "known_pairs"]

KNOWN = 4000  # pairs, of all parts
_READ = 1_000_000  # pairs of train that these are drawn from: the first ones

Pairs = list[tuple[str, str]]


def known_pairs(trained: TrainedModel) -> tuple[Mapping[str, Pairs], str]:
    """By part, and why there are none: "" where there are some."""
    try:
        sample = train_sample(trained.config, KNOWN, _READ)
    except (ConfigError, DataError) as error:
        return {}, str(error)
    return {
        name: [(example.source, target) for example in own for target in example.references]
        for name, own in sample.items()
    }, ""
