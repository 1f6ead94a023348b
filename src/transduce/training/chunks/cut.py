"""How a batch is cut into chunks of whole sentences.

Threads that share out every operation meet behind every operation, and where another program has
taken one's processor all others wait for it. With a chunk a thread they meet once a batch. A chunk
draws from a generator of its own, and gradients are summed in the order of the chunks: so the
weights are the same, bit for bit, whoever finishes when.
"""

from __future__ import annotations

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from transduce.interfaces import Batch, Source

__all__ = ["cut", "draws_elsewhere", "goes_word_by_word", "is_worth_cutting"]

_LEAST_ROWS = 16  # of a chunk: fewer leave a recurrent layer's products too small
# Parameters times tokens of a batch. With less, what each chunk costs whatever its size outweighs.
_LEAST_WORK = 600_000_000


def cut(batch: Batch, most: int) -> list[Batch]:
    """Split a batch of B sentences, in its order, into at most so many chunks, each as long as its
    longest sentences.
    """
    B = len(batch.target)
    count = max(1, min(most, B // _LEAST_ROWS))
    if count == 1:
        return [batch]
    return [_rows(batch, B * n // count, B * (n + 1) // count) for n in range(count)]


def is_worth_cutting(parameters: int, batch_tokens: int) -> bool:
    """Whether chunks are likely faster than threads that share out every operation."""
    return parameters * batch_tokens >= _LEAST_WORK


def draws_elsewhere(model: nn.Module) -> bool:
    """Whether a model has torch's own dropout, whose numbers all threads draw from one generator.

    Side by side they would get others at every run.
    """
    rates = (getattr(module, "dropout", 0.0) for module in model.modules())
    return any(isinstance(rate, float) and rate > 0 for rate in rates) or any(
        isinstance(module, _DropoutNd) for module in model.modules()
    )


def goes_word_by_word(model: nn.Module) -> bool:
    """Whether a decoder reads its own output at each position: the interpreter, which lets one
    thread in at a time, then takes longer than the operations.
    """
    return any(getattr(module, "input_feeding", False) for module in model.modules())


def _rows(batch: Batch, begin: int, end: int) -> Batch:
    targets = batch.target_lengths[begin:end]
    width = int(targets.max()) + 1
    return Batch(
        _sources(batch.source, begin, end),
        batch.target[begin:end, :width].contiguous(),
        targets,
        batch.indices[begin:end],
    )


def _sources(source: Source, begin: int, end: int) -> Source:
    lengths = source.lengths[begin:end]
    values = source.values[begin:end, : int(lengths.max())].contiguous()
    beside = None if source.beside is None else _sources(source.beside, begin, end)
    return Source(values, lengths, beside=beside)
