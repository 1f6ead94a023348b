"""Small SentencePiece models of every sort, trained on a few sentences."""

from __future__ import annotations

import io
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["SENTENCES", "charsmap_of", "trained_pieces"]

SENTENCES = [
    *("the cat sat on the mat", "a small house by the sea", "we read old books", "rain and snow"),
    *("they sing at night", "green fields", "the train leaves at nine", "bread and cheese"),
    *("my dog runs fast", "she wrote a long letter", "stars shine over the lake", "a wooden door"),
]
_RULES = "41\t61\nE9\t65 301\nFB01\t66 69\n20 20\t20\n61 62 63\t78\nFF21\t41\n200B\t\n"


@cache
def trained_pieces(kind: str = "unigram", size: int = 60, rules: bool = True, **more: Any) -> bytes:
    """The bytes of a model; with ``rules`` a map of a few characters, else the large NFKC."""
    import sentencepiece

    sentencepiece.set_min_log_level(3)
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "rules.tsv"
        table.write_text(_RULES)
        options = {"normalization_rule_tsv": str(table)} if rules else {}
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES),
            model_writer=out,
            vocab_size=size,
            model_type=kind,
            hard_vocab_limit=False,
            **options,
            **more,
        )
    return out.getvalue()


def charsmap_of(model: bytes) -> bytes:
    """The map of characters of a model."""
    from transduce.pretrained.checkpoint.sentencepiece import _parse

    return _parse(model).charsmap
