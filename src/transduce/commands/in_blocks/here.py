"""Blocks answered by this process, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transduce.commands.in_blocks.block_worker import AnsweredBlock, BlockWorker
from transduce.commands.in_blocks.corpus_blocks import CorpusBlock

__all__ = ["answered_here"]


def answered_here(worker: BlockWorker, blocks: Sequence[CorpusBlock]) -> Iterator[AnsweredBlock]:
    """Each block as it is finished. Raises TransduceError."""
    return map(worker.answer, blocks)
