"""What stands before a native encoder: the embedding in its program, or a frontend."""

from __future__ import annotations

import copy

from torch import Tensor

from transduce.engine.convolution import NativeConvolutions
from transduce.engine.program import Program
from transduce.engine.weights import Number
from transduce.interfaces import Source
from transduce.kernels.library import Library
from transduce.models.seq2seq import Embedding, Frontend, Seq2Seq
from transduce.modules.frontend import ConvolutionFrontend

__all__ = ["Entrance", "write_embedding"]


class Entrance:
    """A model's embedding or frontend, as the program of its encoder begins with it.

    An embedding is the program's first operation. A frontend runs once a batch, convolutions over
    time in programs of their own, others in PyTorch; the program begins with its vectors.
    """

    def __init__(self, library: Library, number: Number, model: Seq2Seq) -> None:
        self._frontend: Frontend | NativeConvolutions | None
        if isinstance(model.frontend, ConvolutionFrontend):
            self._frontend = NativeConvolutions(library, number, model.frontend)
        else:
            self._frontend = copy.deepcopy(model.frontend)  # what is learned later is not seen
        self._embedding = model.source_embedding if model.frontend is None else None
        self.width = (model.frontend or model.source_embedding).width

    def write(self, program: Program, out: int) -> None:
        """The operation that fills a buffer of ``width``."""
        if self._embedding is not None:
            write_embedding(self._embedding, program, out)
        else:
            program.fetch("entered", out, stride=self.width)

    def enter(self, source: Source) -> tuple[dict[str, Tensor], Source]:
        """The tensors that a run needs, and the source as the encoder sees it."""
        if self._frontend is None:
            return {"tokens": source.tokens.contiguous()}, source
        vectors, lengths = self._frontend(source.frames, source.lengths)
        return {"entered": vectors.float().contiguous()}, Source(vectors, lengths)


def write_embedding(embedding: Embedding, program: Program, out: int) -> None:
    """Rows of the embedding's table for the run's ``tokens``."""
    program.embed(out, "tokens", embedding.weight, embedding.scale)
