"""What a search knows of an output and its words, as numbers that say how sure it was.

Sums of log-probabilities span orders of magnitude, so their logarithms are taken: a logistic
regression then bends where it should.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from transduce.search import Hypothesis, Retraced

__all__ = ["NBEST", "OUTPUT", "WORD", "WORD_NBEST", "output_features", "word_features"]

Floats = NDArray[np.float64]

_SMALL = 1e-3  # nats: below this differences say nothing
_FAR = 5.0  # nats between a token and its runner-up: above this likewise

# Names of the features, in order; those of a beam's other hypotheses come after the output's own.
OUTPUT = (
    "surprise",  # log of -Σ log p
    "largest_surprise",  # of one token
    "entropy",  # log of its mean
    "largest_entropy",
    "margin",  # mean distance to the runner-up, nats
    "least_margin",
    "length",  # log of tokens
    "length_ratio",  # log of tokens to symbols or frames of the source
    "length_ratio_squared",
)
NBEST = ("doubt", "agreement")  # -log of its share among the hypotheses; how alike they are
WORD = (
    "surprise",
    "largest_entropy",
    "least_margin",
    "length",
    "surprise_before",  # of the token before the word
    "surprise_behind",
    "output_surprise",  # the mean of the whole output
)
WORD_NBEST = ("support",)  # share of the hypotheses that have the word too


def output_features(
    outputs: Sequence[Hypothesis], source_length: int, skipped: int, *, nbest: bool
) -> Floats:
    """``[F]``: OUTPUT, then NBEST where ``nbest``, of the first of a sentence's hypotheses.

    ``source_length`` counts symbols with END, or frames; the first ``skipped`` tokens are no text.
    """
    read = _read(outputs[0])
    surprises, entropies = -read.log_probs[skipped:], read.entropies[skipped:]
    margins = np.clip(read.margins[skipped:], -_FAR, _FAR)
    ratio = float(np.log(len(surprises) / max(1, source_length)))
    values = [
        _log(surprises.sum()),
        _log(surprises.max()),
        _log(entropies.mean()),
        _log(entropies.max()),
        margins.mean(),
        margins.min(),
        np.log(len(surprises)),
        ratio,
        ratio * ratio,
    ]
    if nbest:
        shares = _shares(outputs)
        alike = [
            Levenshtein.normalized_similarity(outputs[0].tokens, other.tokens) for other in outputs
        ]
        values += [_log(-np.log(max(shares[0], 1e-12))), float(shares @ np.array(alike))]
    return np.array(values, np.float64)


def word_features(
    outputs: Sequence[Hypothesis], words: Sequence[int], skipped: int, *, nbest: bool
) -> Floats:
    """``[W, F]``: WORD, then WORD_NBEST where ``nbest``.

    ``words`` says for each token behind the ``skipped`` ones which word it is of, END not among
    them.
    """
    read = _read(outputs[0])
    surprises, entropies = -read.log_probs[skipped:], read.entropies[skipped:]
    margins = np.clip(read.margins[skipped:], -_FAR, _FAR)
    of = np.asarray(words, np.int64)
    whole, rows = _log(surprises.mean()), []
    support = _support(outputs, skipped) if nbest else None
    for word in range(int(of.max(initial=-1)) + 1):
        own = np.flatnonzero(of == word)
        if not len(own):  # one token that is several words counts for each
            own = np.flatnonzero(of > word)[:1]
        first, last = int(own[0]), int(own[-1])
        row = [
            _log(surprises[own].sum()),
            _log(entropies[own].max()),
            margins[own].min(),
            np.log(len(own)),
            _log(surprises[first - 1]) if first else _log(0.0),
            _log(surprises[last + 1]) if last + 1 < len(surprises) else _log(0.0),
            whole,
        ]
        rows.append(row if support is None else [*row, support[own].min()])
    width = len(WORD) + (len(WORD_NBEST) if nbest else 0)
    return np.array(rows, np.float64).reshape(-1, width)


def _support(outputs: Sequence[Hypothesis], skipped: int) -> Floats:
    """Of each token of the first output the share of the hypotheses that have it at its place."""
    best = outputs[0].tokens[skipped:]
    found = np.zeros(len(best))
    for share, other in zip(_shares(outputs), outputs, strict=True):
        for step in Levenshtein.opcodes(best, other.tokens[skipped:]):
            if step.tag == "equal":
                found[step.src_start : step.src_end] += share
    return found


def _shares(outputs: Sequence[Hypothesis]) -> Floats:
    """What each hypothesis has of the probability of all of them, ``[n]``."""
    scores = np.array([output.log_probability for output in outputs], np.float64)
    chances = np.exp(scores - scores.max())
    return np.asarray(chances / chances.sum(), np.float64)


def _log(value: float) -> float:
    return float(np.log(_SMALL + max(0.0, float(value))))


def _read(hypothesis: Hypothesis) -> Retraced:
    if hypothesis.retraced is None:
        raise ValueError("hypothesis must be read once more for its confidence")
    return hypothesis.retraced
