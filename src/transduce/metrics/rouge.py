"""ROUGE by rouge-score, over words of any script."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version

import numpy as np

from transduce.metrics.statistics import SentenceStatistics, mean

__all__ = ["UnicodeWords", "rouge"]

# Written without spaces, so each character is a token: kana and Han ideographs.
_IDEOGRAPHS = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))
_IDEOGRAPHS_FROM = 0x20000


class UnicodeWords:
    """rouge-score's tokenizer, made to know every script.

    The library's own keeps a-z and 0-9 alone, which cuts "für" in two and
    leaves nothing of Chinese. On ASCII text both give the same tokens:
    lower-cased runs of letters and digits.
    """

    def tokenize(self, text: str) -> list[str]:
        """Cut a text into tokens."""
        return "".join(map(_spaced, text.lower())).split()


def rouge(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], names: Sequence[str]
) -> dict[str, SentenceStatistics]:
    """ROUGE-1, -2 or -L (Lin 2004) as F-measure, 0-100, mean over sentences.

    ``names`` are among ``rouge1``, ``rouge2``, ``rougeL`` (longest common
    subsequence of the whole text); of several references the best counts. No stemming.
    """
    # lazy for start-up time alone
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(names), tokenizer=UnicodeWords())
    signature = f"tool:rouge-score|tok:unicode|stem:no|refs:best|version:{version('rouge-score')}"
    values = {name: np.ones((len(hypotheses), 2)) for name in names}
    for row, (hypothesis, group) in enumerate(zip(hypotheses, references, strict=True)):
        best = scorer.score_multi(group, hypothesis)
        for name in names:
            values[name][row, 0] = best[name].fmeasure
    return {
        name: SentenceStatistics(values[name], mean, mean, f"{name}|{signature}") for name in names
    }


@lru_cache(maxsize=1 << 16)
def _spaced(character: str) -> str:
    code = ord(character)
    if code >= _IDEOGRAPHS_FROM or any(low <= code <= high for low, high in _IDEOGRAPHS):
        return f" {character} " if unicodedata.category(character)[0] in "LN" else " "
    # Marks belong to their letter: vowel signs of Devanagari, accents written apart.
    return character if unicodedata.category(character)[0] in "LNM" else " "
