"""How often a block was begun: a block that ends every worker must not be tried for ever.

Ray gives a block whose worker died to another, without an end. A mark in the folder of the answers
is longer by a byte for each beginning, and goes when the block is answered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from transduce.commands.in_blocks.corpus_blocks import CorpusBlock
from transduce.errors import EngineError

__all__ = ["clear_tries", "tried"]

_MOST = 4
_BEGINNING = "_tried-"


@contextlib.contextmanager
def tried(folder: Path, block: CorpusBlock) -> Iterator[None]:
    """Mark a block as begun, for as long as the code inside runs. Raises EngineError where that was
    its end too often, OSError.
    """
    mark = folder / f"{_BEGINNING}{block.number:06d}"
    with mark.open("ab") as file:
        begun = file.tell()
        file.write(b".")
    try:
        if begun >= _MOST:
            last = block.first + block.count
            raise EngineError(
                f"a worker must live through a block; got {begun} that were ended by records "
                f"{block.first + 1:,} to {last:,} of {block.path}: is there enough memory?"
            )
        yield
    finally:
        mark.unlink(missing_ok=True)


def clear_tries(folder: Path) -> None:
    """Forget what was begun by workers that are gone."""
    for mark in folder.glob(f"{_BEGINNING}*"):
        mark.unlink(missing_ok=True)
