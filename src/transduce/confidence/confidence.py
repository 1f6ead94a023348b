"""The confidence of a model in its outputs: fitted once, asked of each output, kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from transduce.confidence.features import (
    NBEST,
    OUTPUT,
    WORD,
    WORD_NBEST,
    output_features,
    word_features,
)
from transduce.confidence.judge import Judge, fit_judge
from transduce.search import Hypothesis

__all__ = ["NAMES", "Answered", "Confidence", "Kind", "fit_confidence"]

Kind = Literal["right", "chrf"]

# The four judges: of outputs and words, each for a search with one hypothesis and with several.
NAMES: Mapping[str, tuple[str, ...]] = {
    "output": OUTPUT,
    "output_nbest": OUTPUT + NBEST,
    "word": WORD,
    "word_nbest": WORD + WORD_NBEST,
}


@dataclass(frozen=True)
class Answered:
    """One source with the hypotheses of its search, best first, and how right the best was.

    The first has been read once more. ``words`` as for :func:`word_features`; ``quality`` is 0 to
    1; ``right_words`` says of each word whether the reference has it there.
    """

    outputs: Sequence[Hypothesis]
    source_length: int
    skipped: int
    words: Sequence[int]
    quality: float
    right_words: Sequence[bool]


@dataclass(frozen=True)
class Confidence:
    """What the probability is of: that an output is ``right``, or its chrF, 0 to 1.

    ``judges`` are those of ``NAMES``; words are right or not in any case. ``examples`` and ``beam``
    say what it was fitted on.
    """

    kind: Kind
    judges: Mapping[str, Judge]
    examples: int
    beam: int

    def of_output(self, outputs: Sequence[Hypothesis], source_length: int, skipped: int) -> float:
        """How sure the first of a sentence's hypotheses is, 0 to 1."""
        nbest = len(outputs) > 1
        features = output_features(outputs, source_length, skipped, nbest=nbest)
        judge = self.judges["output_nbest" if nbest else "output"]
        return float(judge.probabilities(features[None])[0])

    def of_words(
        self, outputs: Sequence[Hypothesis], words: Sequence[int], skipped: int
    ) -> tuple[float, ...]:
        """How sure each of its words is; ``words`` as for :func:`word_features`."""
        nbest = len(outputs) > 1
        features = word_features(outputs, words, skipped, nbest=nbest)
        found: list[float] = (
            self.judges["word_nbest" if nbest else "word"].probabilities(features).tolist()
        )
        return tuple(found)


def fit_confidence(answered: Sequence[Answered], kind: Kind, beam: int) -> Confidence:
    """Fit the four judges; those of several hypotheses on what had several.

    A judge with nothing to be fitted on is the one for one hypothesis.
    """
    several = [one for one in answered if len(one.outputs) > 1]
    judges = {}
    for suffix, own in (("", answered), ("_nbest", several or answered)):
        nbest = bool(suffix)
        outputs = [
            output_features(one.outputs, one.source_length, one.skipped, nbest=nbest) for one in own
        ]
        words = [word_features(one.outputs, one.words, one.skipped, nbest=nbest) for one in own]
        right = [float(good) for one in own for good in one.right_words]
        name = f"output{suffix}"
        quality: NDArray[np.float64] = np.array([one.quality for one in own], np.float64)
        judges[name] = fit_judge(NAMES[name], np.stack(outputs), quality)
        name = f"word{suffix}"
        judges[name] = fit_judge(NAMES[name], np.concatenate(words), np.array(right, np.float64))
    return Confidence(kind, judges, len(answered), beam)
