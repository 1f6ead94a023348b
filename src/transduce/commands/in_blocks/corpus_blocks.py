"""A corpus in blocks: records that stand together and are answered together.

Where a block begins and ends hangs on the files alone, not on who works how fast, so that the
answers are the same bytes however many workers there are and whatever happens to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transduce.commands.in_blocks.corpus_files import CorpusFile

__all__ = ["CorpusBlock", "block_size", "cut_blocks"]

_LEAST = 2048  # records: a search of sentences of like length needs some to choose from
_MANY = 4096  # blocks, beyond which they become larger


@dataclass(frozen=True)
class CorpusBlock:
    """``count`` records of a file, from its record ``first`` (from 0); in the corpus, which is all
    files in order, the first is record ``id``.
    """

    number: int
    path: str
    first: int
    count: int
    id: int


def block_size(records: int) -> int:
    """How many records a block has where nobody says it: the least power of two from 2,048 on that
    makes no more than 4,096 blocks.
    """
    size = _LEAST
    while size * _MANY < records:
        size *= 2
    return size


def cut_blocks(files: Sequence[CorpusFile], size: int) -> list[CorpusBlock]:
    """No block goes over the end of a file."""
    blocks: list[CorpusBlock] = []
    before = 0
    for file in files:
        for first in range(0, file.records, size):
            count = min(size, file.records - first)
            blocks.append(CorpusBlock(len(blocks), file.path, first, count, before + first))
        before += file.records
    return blocks
