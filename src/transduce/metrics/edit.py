"""Error rates over words, characters or symbols, aligned by jiwer."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Literal

import numpy as np

from transduce.metrics.statistics import Numbers, SentenceStatistics, rate

__all__ = ["Unit", "edit_counts", "error_rate"]

Unit = Literal["word", "character", "symbol"]


def error_rate(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], unit: Unit
) -> SentenceStatistics:
    """Statistics of WER, CER or PER: edits over the length of the closest reference, in percent."""
    signature = f"tool:jiwer|unit:{unit}|refs:closest|version:{version('jiwer')}"
    return SentenceStatistics(edit_counts(hypotheses, references, unit), rate, rate, signature)


def edit_counts(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], unit: Unit
) -> Numbers:
    """Fewest edits (Levenshtein 1966) and that reference's length, float64 ``[M, 2]``.

    An edit is one substitution, insertion or deletion of a unit. Words are
    what spaces separate, symbols what any white space separates; characters
    count spaces inside the sentence, not around it. Among references that are
    equally many edits away the longest counts, which is the lowest rate.
    """
    counts = np.array([len(group) for group in references])
    candidates = [text for group in references for text in group]
    repeated = [text for text, count in zip(hypotheses, counts, strict=True) for _ in range(count)]
    edits, lengths = _align(candidates, repeated, unit)
    owners = np.repeat(np.arange(len(hypotheses)), counts)
    # Sorted by sentence, then edits, then longest: the first of each sentence is the closest.
    order = np.lexsort((-lengths, edits, owners))
    first = order[np.searchsorted(owners[order], np.arange(len(hypotheses)))]
    return np.stack([edits[first], lengths[first]], axis=1).astype(np.float64)


def _align(
    references: list[str], hypotheses: list[str], unit: Unit
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Edits and reference lengths of pairs, two int64 ``[P]``."""
    import jiwer  # lazy for start-up time alone

    if unit == "symbol":
        references = [" ".join(text.split()) for text in references]
        hypotheses = [" ".join(text.split()) for text in hypotheses]
    result = (
        jiwer.process_characters(references, hypotheses)
        if unit == "character"
        else jiwer.process_words(references, hypotheses)
    )
    edits = [
        sum(
            max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
            for chunk in alignment
            if chunk.type != "equal"
        )
        for alignment in result.alignments
    ]
    lengths = [len(units) for units in result.references]
    return np.array(edits, dtype=np.int64), np.array(lengths, dtype=np.int64)
