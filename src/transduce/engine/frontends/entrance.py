"""What stands before a native encoder: the embedding in its program, or a frontend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from transduce.engine.frontends.convolution import (
    NativeConvolutions,
    NativePictures,
    NativeSubsampling,
)
from transduce.engine.frontends.framewise import NativeLinear, NativePatches
from transduce.engine.programs.program import Program
from transduce.engine.programs.weights import Number
from transduce.errors import NoProgramError
from transduce.interfaces import Memory, Source
from transduce.kernels.library import Library
from transduce.models.seq2seq import Embedding, Frontend
from transduce.modules.frontends.frontend import (
    ConvolutionFrontend,
    LinearFrontend,
    SubsamplingFrontend,
)
from transduce.modules.frontends.patches import PatchFrontend
from transduce.modules.frontends.picture_convolution import PictureConvolution

__all__ = ["Entrance", "write_embedding"]


class NativeFrontend(Protocol):
    """A frontend of the engine."""

    width: int

    def __call__(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors, which mean nothing beyond their lengths, and these."""
        ...


class Entrance:
    """An embedding or a frontend, as the program of the encoder behind it begins with it.

    An embedding is the program's first operation. A frontend runs once a batch, in programs of its
    own; the program begins with its vectors.
    """

    def __init__(self, library: Library, number: Number, entrance: Embedding | Frontend) -> None:
        """Raises NoProgramError where the frontend is of no known kind."""
        self._frontend: NativeFrontend | None = None
        self._embedding: Embedding | None = None
        if isinstance(entrance, Embedding):
            self._embedding = entrance
        else:
            self._frontend = _native(library, number, entrance)
        self.width = entrance.width

    @property
    def embeds(self) -> bool:
        """Whether it reads tokens."""
        return self._embedding is not None

    def write(self, program: Program, out: int) -> None:
        """The operation that fills a buffer of ``width``."""
        if self._embedding is not None:
            write_embedding(self._embedding, program, out)
        else:
            program.fetch("entered", out, stride=self.width)

    def encoded(
        self,
        source: Source,
        run: Callable[[dict[str, Tensor], int, int], None],
        width: int,
        layers: int = 1,
    ) -> Memory:
        """The memory of a padded batch, by the encoder's program.

        ``run`` gets the tensors of B sentences, B and S; it fills ``vectors`` ``[B, S, D]`` and
        ``summary`` ``[B, L, D]``, where D is ``width`` and L are ``layers``.
        """
        entered, source = self._enter(source)
        B, S = source.mask.shape
        vectors, summary = torch.empty(B, S, width), torch.empty(B, layers, width)
        lengths = source.lengths.contiguous()
        run({**entered, "lengths": lengths, "vectors": vectors, "summary": summary}, B, S)
        tokens = source.values if source.is_tokens else None
        return Memory(vectors, source.mask, tokens, summary)

    def _enter(self, source: Source) -> tuple[dict[str, Tensor], Source]:
        """The tensors that a run needs, and the source as the encoder sees it."""
        if self._frontend is None:
            return {"tokens": source.tokens.contiguous()}, source
        vectors, lengths = self._frontend(source.frames, source.lengths)
        return {"entered": vectors.float().contiguous()}, Source(vectors, lengths)


def write_embedding(embedding: Embedding, program: Program, out: int) -> None:
    """Rows of the embedding's table for the run's ``tokens``."""
    program.embed(out, "tokens", embedding.weight, embedding.scale)


def _native(library: Library, number: Number, frontend: Frontend) -> NativeFrontend:
    match frontend:
        case ConvolutionFrontend():
            return NativeConvolutions(library, number, frontend)
        case SubsamplingFrontend():
            return NativeSubsampling(library, frontend)
        case PictureConvolution():
            return NativePictures(library, frontend)
        case LinearFrontend():
            return NativeLinear(library, frontend)
        case PatchFrontend():
            return NativePatches(library, frontend)
    raise NoProgramError.of("frontend", frontend)
