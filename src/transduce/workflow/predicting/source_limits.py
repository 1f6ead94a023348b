"""How long a source may be: the positions that a model knows, and the memory at hand."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from transduce.errors import DataError, EngineError

if TYPE_CHECKING:  # what predicts without torch (transduce.light) knows such limits, too
    import torch

    from transduce.config import ModelConfig, SearchConfig

__all__ = [
    "UNLIMITED",
    "SourceLimits",
    "available_memory",
    "longest_output",
    "longest_source",
    "shortage_explained",
    "shrinkage",
]

_FLOAT = 4  # bytes
_MOST_ATTENDED = 65_536  # positions that are each compared with each: hours for a large model
_BLOCK = 16  # positions that local attention takes together, at least
_FREELY = 1 << 26  # bytes that are taken without a look at what is free
_CUTS = "search.max_source_length cuts longer ones"


@dataclass(frozen=True)
class SourceLimits:
    """What one source of S tokens or frames may take.

    The encoder sees ``S / shrinks`` positions P, at most ``positions``: those that it has learned,
    or 65,536 where each is compared with each. An output has at most ``outputs`` tokens, END not
    counted: as many as the decoder has learned positions for. The memory, about
    ``each · P + pairs · P²`` bytes, is measured from above: 1.1 to 3 times what was seen of
    Transformers and recurrent encoders of 2,000 to 8,000 symbols.
    """

    unit: str = "tokens"
    shrinks: int = 1
    positions: int | None = None
    each: float = 0.0
    pairs: float = 0.0
    device: torch.device | None = None  # none: the CPU
    outputs: int | None = None

    @classmethod
    def of(
        cls, config: ModelConfig, sizes: tuple[int, int], device: torch.device, *, native: bool
    ) -> SourceLimits:
        """Those of a model of ours.

        ``sizes`` are its source symbols (or numbers of a frame) and target symbols; ``native``
        encoders hold no weights of all positions for all.
        """
        from transduce.config import (
            LinearRecurrentOptions,
            MambaEncoderConfig,
            TransformerEncoderConfig,
        )
        from transduce.config.model import each_layer

        encoder, decoder = config.encoder, config.decoder
        shrinks, tokens = shrinkage(config), config.frontend.kind == "embedding"
        wide = encoder.width + decoder.width
        each, pairs, positions = 8.0 * wide * encoder.layers + 8 * wide, 0.0, None
        if isinstance(encoder, TransformerEncoderConfig):
            inner = max(each_layer(encoder.feedforward, 1))
            heads = max(each_layer(encoder.heads, 1))
            each = 16.0 * wide + 4 * inner + 4 * decoder.width * decoder.layers
            # Biased: the distance of each pair, in whole numbers, and what stands for it.
            compared = 4.0 * heads + 12 if encoder.positions == "relative" else 3.0 * heads
            if encoder.attention == "linear":
                each += 4.0 * encoder.width  # keys, queries and what they are raised to
            elif encoder.window is None:
                positions, pairs = _MOST_ATTENDED, 0 if native else compared
            elif not native:
                each += compared * (2 * encoder.window + max(encoder.window, _BLOCK))
                if encoder.global_block is not None:
                    pairs = compared / encoder.global_block
            if encoder.positions == "learned":
                positions = min(positions or encoder.max_positions, encoder.max_positions)
        if isinstance(encoder, LinearRecurrentOptions):
            each = 16.0 * wide + 4 * max(each_layer(encoder.feedforward, 1))
        if isinstance(encoder, MambaEncoderConfig):
            each += 8.0 * encoder.expand * encoder.width + 4 * encoder.state_width
        if config.ctc:
            each += 2 * sizes[1] * config.ctc_positions
        if not tokens:
            each += 8 * shrinks * sizes[0]
        return cls(
            "tokens" if tokens else "frames",
            shrinks,
            positions,
            _FLOAT * each,
            _FLOAT * pairs,
            device,
            longest_output(config),
        )

    def capped(self, options: SearchConfig) -> SearchConfig:
        """The options with outputs no longer than the model can tell their positions apart."""
        if self.outputs is None or options.max_length <= self.outputs:
            return options
        least = min(options.min_length, self.outputs)
        return options.model_copy(update={"max_length": self.outputs, "min_length": least})

    def plus(self, other: SourceLimits) -> SourceLimits:
        """Those of two models that read a source together."""
        known = [limits.positions for limits in (self, other) if limits.positions is not None]
        outputs = [limits.outputs for limits in (self, other) if limits.outputs is not None]
        return replace(
            self,
            shrinks=min(self.shrinks, other.shrinks),
            positions=min(known, default=None),
            each=self.each + other.each,
            pairs=self.pairs + other.pairs,
            outputs=min(outputs, default=None),
        )

    def check(self, length: int) -> None:
        """Raise DataError where a source of so many tokens (END counted) or frames is too long."""
        count = -(-length // self.shrinks)
        if self.positions is not None and count > self.positions:
            raise DataError(
                f"source must have at most {self.positions * self.shrinks:,} {self.unit}, as many "
                f"as the model can tell apart or compare ({_CUTS}); got {length:,}"
            )
        needed = self.each * count + self.pairs * count * count
        if needed <= _FREELY:
            return
        free = available_memory(self.device)
        if free is not None and needed > free:
            raise DataError(
                f"source must fit into memory ({_CUTS}); got {length:,} {self.unit}, which take "
                f"about {needed / 1e9:,.1f} GB where {free / 1e9:,.1f} GB are free"
            )


UNLIMITED = SourceLimits()


def longest_output(config: ModelConfig) -> int | None:
    """Tokens without END: of learned positions one is for BEGIN. None: any number."""
    from transduce.config import TransformerOptions

    decoder = config.decoder
    if isinstance(decoder, TransformerOptions) and decoder.positions == "learned":
        return max(1, decoder.max_positions - 1)
    return None


def longest_source(config: ModelConfig) -> int | None:
    """Tokens with END, or frames, that the encoder has learned positions for. None: any number."""
    from transduce.config import TransformerEncoderConfig

    encoder = config.encoder
    if isinstance(encoder, TransformerEncoderConfig) and encoder.positions == "learned":
        return encoder.max_positions * shrinkage(config)
    return None


def shrinkage(config: ModelConfig) -> int:
    """How many frames are one position of the encoder."""
    from transduce.config.frontend import (
        ConvolutionConfig,
        PatchesConfig,
        PictureConvolutionConfig,
        SubsamplingConfig,
    )

    match config.frontend:
        case ConvolutionConfig(strides=strides):
            return math.prod(strides)
        case SubsamplingConfig(layers=layers):
            return 1 << layers
        case PatchesConfig(patch_width=width):
            return width
        case PictureConvolutionConfig(strides=strides):
            return math.prod(across for _, across in strides)
        case _:
            return 1


def available_memory(device: torch.device | None = None) -> int | None:
    """Bytes that can still be had on a device, the CPU unless named; None where nobody knows."""
    if device is not None and device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(device)[0]
    if device is not None and device.type != "cpu":
        return None
    known = [amount for amount in (_free_here(), _free_in_group()) if amount is not None]
    return min(known, default=None)


def _free_here() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    except (OSError, ValueError, IndexError):
        pass
    return None


def _free_in_group(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a container has left, by control groups of version 2 or 1.

    Pages of files that were read count as used there, and are given up when they are needed.
    """
    for folder, most, used, cache in (
        (root, "memory.max", "memory.current", "file"),
        (root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"),
    ):
        with contextlib.suppress(OSError, ValueError):  # "max": no limit
            limit, taken = (int((folder / name).read_text()) for name in (most, used))
            figures = dict(map(str.split, (folder / "memory.stat").read_text().splitlines()))
            return max(0, limit - taken + int(figures.get(cache, 0)))
    return None


@contextlib.contextmanager
def shortage_explained() -> Iterator[None]:
    """Raise EngineError in the place of whatever says that memory is short."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        from transduce.training.allocation import is_shortage

        if not is_shortage(error):
            raise
        raise EngineError(
            "sources that are decoded together must fit into memory; got a shortage: lower "
            "search.batch_tokens or search.beam, or set search.max_source_length"
        ) from error
