"""How right outputs are, against their references: whole ones, and word by word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from transduce.confidence.confidence import Kind
from transduce.config import Config
from transduce.metrics.scores import score_texts
from transduce.reading.pair_files import Example
from transduce.workflow.evaluate import normalizer

__all__ = ["fitting_kind", "qualities", "right_words"]

_OFTEN = 0.2  # share of outputs that are exactly right: then that is what a confidence is about


def fitting_kind(config: Config, examples: Sequence[Example], texts: Sequence[str]) -> Kind:
    """What a confidence in such outputs is best about: that they are right, or their chrF.

    A translation is hardly ever that of the reference, letter by letter.
    """
    return "right" if qualities(config, "right", examples, texts).mean() >= _OFTEN else "chrf"


def qualities(
    config: Config, kind: Kind, examples: Sequence[Example], texts: Sequence[str]
) -> NDArray[np.float64]:
    """Of each output 0 to 1: whether it is one of the references, or its chrF with the best."""
    normal = normalizer([config])
    name = "exact_match" if kind == "right" else "chrf"
    scores = score_texts(
        [normal(text) for text in texts],
        [[normal(text) for text in example.references] for example in examples],
        (name,),
        symbols=config.targets == "symbols",
    )
    found: NDArray[np.float64] = scores.statistics[name].by_sentence()
    return np.clip(found / 100.0, 0.0, 1.0)


def right_words(config: Config, example: Example, text: str) -> list[bool]:
    """Of each word of an output whether the reference that is closest to it has it there.

    Words are what white space separates, laid side by side with the fewest edits (Levenshtein
    1966).
    """
    normal = normalizer([config])
    words = normal(text).split()
    references = [normal(reference).split() for reference in example.references]
    closest = min(references, key=lambda reference: Levenshtein.distance(words, reference))
    right = [False] * len(words)
    for step in Levenshtein.opcodes(words, closest):
        if step.tag == "equal":
            right[step.src_start : step.src_end] = [True] * (step.src_end - step.src_start)
    return right
