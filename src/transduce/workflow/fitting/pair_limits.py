"""Pairs too long for the memory at hand, refused before a model learns from them or is scored."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from transduce.config import (
    ModelConfig,
    TransformerDecoderConfig,
    TransformerEncoderConfig,
    TransformerOptions,
)
from transduce.config.model import each_layer
from transduce.errors import DataError
from transduce.workflow.predicting.source_limits import (
    available_memory,
    longest_output,
    longest_source,
    shrinkage,
)

__all__ = ["PairLengths", "refuse_beyond_positions", "refuse_long_pairs", "target_positions"]

_FLOAT = 4  # bytes
Integers = NDArray[np.integer[Any]]


class PairLengths(Protocol):
    """Pairs in tokens or frames."""

    @property
    def source_lengths(self) -> Integers:
        """``[P]``."""
        ...

    @property
    def target_lengths(self) -> Integers:
        """``[P]``."""
        ...


def refuse_long_pairs(
    config: ModelConfig, pairs: PairLengths, symbols: int, device: torch.device, *, learned: bool
) -> None:
    """Raise DataError where one pair alone needs more memory than there is.

    Counted is what is surely held: vectors and weights of attention, of every layer where the
    pair is ``learned`` from, else of one; and probabilities of all target ``symbols``.
    """
    source = pairs.source_lengths.astype(np.float64)
    target = pairs.target_lengths.astype(np.float64)
    if not len(source):
        return
    positions = np.ceil(source / shrinkage(config))
    needed = _bytes(config, positions, target, symbols, learned=learned)
    worst, free = int(needed.argmax()), available_memory(device)
    if free is None or needed[worst] <= free:
        return
    said = (
        "each pair must fit into memory to be learned from (data.max_source_length and "
        "data.max_target_length leave out or cut longer ones); got"
        if learned
        else "each example must fit into memory to be scored; got"
    )
    raise DataError(
        f"{said} one of {int(source[worst]):,} and {int(target[worst]):,} tokens or frames, which "
        f"take {needed[worst] / 1e9:,.1f} GB where {free / 1e9:,.1f} GB are free"
    )


def refuse_beyond_positions(config: ModelConfig, pairs: PairLengths) -> None:
    """Raise DataError where a pair to learn from is longer than the positions that are learned."""
    for side, lengths, longest in (
        ("source", pairs.source_lengths, longest_source(config)),
        ("target", pairs.target_lengths, target_positions(config)),
    ):
        if longest is None or not len(lengths) or int(lengths.max()) <= longest:
            continue
        stack = "encoder" if side == "source" else "decoder"
        raise DataError(
            f"each {side} must have at most {longest:,} tokens or frames, its end counted, as many "
            f"as model.{stack} learns positions for (max_positions); got one of "
            f"{int(lengths.max()):,}: data.max_{side}_length leaves out longer ones"
        )


def target_positions(config: ModelConfig) -> int | None:
    """Tokens with END that a target may have; None: any number."""
    longest = longest_output(config)
    return None if longest is None else longest + 1


def _bytes(
    config: ModelConfig,
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    symbols: int,
    *,
    learned: bool,
) -> NDArray[np.float64]:
    encoder, decoder = config.encoder, config.decoder
    above, below = (encoder.layers, decoder.layers) if learned else (1, 1)
    numbers = 4 * (source * above * encoder.width + target * below * decoder.width)
    numbers += 2 * target * symbols
    if isinstance(encoder, TransformerEncoderConfig) and encoder.attention == "softmax":
        seen = source if encoder.window is None else np.minimum(source, 3 * encoder.window)
        if encoder.global_block is not None:
            seen = seen + source / encoder.global_block
        numbers += _heads(encoder.heads, above) * source * seen
    if isinstance(decoder, TransformerOptions):
        over_memory = decoder.heads
        if isinstance(decoder, TransformerDecoderConfig):
            over_memory = decoder.memory_heads or decoder.heads
            numbers += _heads(decoder.heads, below) * target * target  # self-attention
        numbers += _heads(over_memory, below) * target * source
    return _FLOAT * numbers


def _heads(heads: int | tuple[int, ...], layers: int) -> int:
    """Of so many layers together, those with the most."""
    return sum(sorted(each_layer(heads, layers))[-layers:])
