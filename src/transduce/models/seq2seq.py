"""An encoder-decoder: what joins embeddings, encoder, decoder and vocabulary."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn

from transduce.errors import ModelError
from transduce.interfaces import PADDING, Memory, Source
from transduce.models.copying import PointerGenerator
from transduce.models.ctc import CTCOutput
from transduce.models.state import DecoderState
from transduce.modules.dropout import Dropout
from transduce.modules.frontends.frame_output import FrameOutput

__all__ = ["Decoder", "Embedding", "Encoder", "Frontend", "OutputLayer", "Seq2Seq", "entered"]


class Frontend(Protocol):
    """Frames ``[B, S, F]`` to vectors ``[B, S', E]`` of ``width`` E; S' may be less than S."""

    width: int

    def __call__(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors and their lengths, int64 ``[B]``."""
        ...

    def cells(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """The numbers that each vector stands for, ``[B, S', W]``, zero beyond the lengths."""
        ...


class Encoder(Protocol):
    """Vectors ``[B, S, E]`` to a memory of ``width`` D. Of the source it reads the lengths, and
    what is ``beside`` it.
    """

    width: int

    def __call__(self, vectors: Tensor, source: Source) -> Memory:
        """Encode a padded batch."""
        ...


class Decoder(Protocol):
    """Vectors ``[N, T, E]`` to vectors of ``width`` D, one state to the next."""

    width: int

    def start(self, memory: Memory, *, attention: bool = False) -> DecoderState:
        """The state before the first token."""
        ...

    def step(self, vectors: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """Read T embedded tokens, give T output vectors."""
        ...


class Embedding(nn.Module):
    """Symbols to vectors of unit variance; the stored weights suit a tied output too.

    Vaswani et al. 2017, section 3.4: weights of variance 1/D, multiplied by √D where read.
    Not ``scaled`` they are read as they are stored, with variance 1.
    """

    def __init__(self, size: int, width: int, dropout: float, *, scaled: bool = True) -> None:
        super().__init__()
        self.scale = math.sqrt(width) if scaled else 1.0
        self.weight = nn.Parameter(torch.randn(size, width) / self.scale)
        self.width = width
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Int64 ``[N, T]`` to ``[N, T, E]``."""
        vectors: Tensor = self.dropout(nn.functional.embedding(tokens, self.weight) * self.scale)
        return vectors


class OutputLayer(nn.Module):
    """Vectors to logits over the vocabulary, with its own weights or an embedding's."""

    def __init__(self, width: int, size: int, tied: Embedding | None) -> None:
        super().__init__()
        inner = width if tied is None else tied.weight.shape[1]
        self.project = nn.Linear(width, inner, bias=False) if inner != width else None
        self.weight = nn.Parameter(torch.empty(size, width)) if tied is None else tied.weight
        self.bias = nn.Parameter(torch.zeros(size))
        if tied is None:
            nn.init.xavier_uniform_(self.weight)

    def forward(self, vectors: Tensor) -> Tensor:
        """``[N, T, D]`` to ``[N, T, V]``."""
        return nn.functional.linear(self.projected(vectors), self.weight, self.bias)

    def projected(self, vectors: Tensor) -> Tensor:
        """``[N, T, D]`` as wide as the rows of ``weight``."""
        return vectors if self.project is None else self.project(vectors)


def entered(entrance: Embedding | Frontend, source: Source) -> tuple[Tensor, Source]:
    """What an encoder reads: vectors ``[B, S', E]``, and a source of their lengths.

    Raises ModelError where the source is tokens and there is a frontend, or the reverse.
    """
    if isinstance(entrance, Embedding):
        return entrance(source.tokens), source
    vectors, lengths = entrance(source.frames, source.lengths)
    return vectors, Source(vectors, lengths, beside=source.beside)


class Seq2Seq(nn.Module):
    """An encoder-decoder; a ``Stepper``, so search can run it as it is.

    ``start`` encodes, ``step`` reads target tokens. Teacher forcing is one ``step``
    over the whole target; search makes many of one token. What stands before the encoder is
    ``source_embedding`` for tokens, or ``frontend`` for frames (None for tokens).
    """

    source_embedding: Embedding  # only where there is no frontend

    def __init__(
        self,
        entrance: Embedding | Frontend,
        encoder: Encoder,
        target_embedding: Embedding,
        decoder: Decoder,
        output: OutputLayer,
        pointer: PointerGenerator | None = None,
        ctc: CTCOutput | None = None,
        frame_output: FrameOutput | None = None,
    ) -> None:
        super().__init__()
        self.frontend: Frontend | None = None
        if isinstance(entrance, Embedding):
            self.source_embedding = entrance
        else:
            self.frontend = entrance
        self.encoder = encoder
        self.target_embedding = target_embedding
        self.decoder = decoder
        self.output = output
        self.pointer = pointer
        self.ctc = ctc
        self.frame_output = frame_output

    @property
    def entrance(self) -> Embedding | Frontend:
        """What stands before the encoder."""
        return self.source_embedding if self.frontend is None else self.frontend

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.target_embedding.weight.device

    @property
    def vocabulary(self) -> int:
        """How many symbols a target may hold."""
        return len(self.output.bias)

    def enter(self, source: Source) -> tuple[Tensor, Source]:
        """What the encoder reads: vectors ``[B, S', E]``, and a source of their lengths.

        Raises ModelError where the source is tokens and the model is for frames, or the reverse.
        """
        return entered(self.entrance, source)

    def start(self, source: Source, *, attention: bool = False) -> DecoderState:
        """Encode once; the state has N = B rows."""
        return self.begin(*self.enter(source), attention=attention)

    def begin(self, vectors: Tensor, source: Source, *, attention: bool = False) -> DecoderState:
        """The same from what :meth:`enter` gave, ``[B, S', E]``, or from vectors in its place."""
        memory = self.encoder(vectors, source)
        state = self.decoder.start(memory, attention=attention or self.pointer is not None)
        return state.within(source)

    def ctc_log_probs(self, state: DecoderState) -> Tensor | None:
        """Log-probabilities of the CTC output, float32 ``[B, S·K, V]``; None without one."""
        return None if self.ctc is None else self.ctc(state.memory)

    def guessed_frames(self, state: DecoderState) -> Tensor | None:
        """What each vector of the memory stands for, ``[B, S', W]``; None without the output."""
        return None if self.frame_output is None else self.frame_output(state.memory.vectors)

    def frame_cells(self, source: Source) -> Tensor:
        """The same of the frames as they are. Raises ModelError where sources are tokens."""
        if self.frontend is None:
            raise ModelError("source must be frames for this; the model reads tokens")
        return self.frontend.cells(source.frames, source.lengths)

    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """Read int64 ``[N, T]``, give logits ``[N, T, V]`` for the token after each.

        With a pointer their softmax is the mixture of generating and copying.
        """
        return self.proceed(self.embed(tokens), state)

    def embed(self, tokens: Tensor) -> Tensor:
        """What the decoder reads: int64 ``[N, T]`` to vectors ``[N, T, E]``."""
        vectors: Tensor = self.target_embedding(tokens)
        return vectors

    def proceed(self, vectors: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """:meth:`step` from what :meth:`embed` gave, or from vectors in its place."""
        outputs, after = self.decoder.step(vectors, state)
        return self.logits(outputs, vectors, after.attention, state), after

    def logits(
        self,
        outputs: Tensor,
        embedded: Tensor,
        attention: Tensor | None,
        state: DecoderState,
    ) -> Tensor:
        """Logits ``[N, T, V]`` of the decoder's vectors ``[N, T, D]`` for ``embedded`` tokens.

        ``attention`` ``[N, T, S]`` is what a pointer copies with; of ``state`` are the memory that
        it copies from, and the shortlist of tokens that may be generated: others are at -inf.
        """
        logits: Tensor = self.output(outputs)
        if state.shortlist is not None:
            logits = _within(logits, state.shortlist)
            if state.unlisted is not None:
                logits[..., PADDING] = _others(self.output.projected(outputs), state.unlisted)
        memory = state.memory
        if self.pointer is not None:
            if attention is None or memory.tokens is None:
                raise RuntimeError("a pointer needs attention over a source of tokens")
            logits = self.pointer(logits, outputs, embedded, attention, memory.tokens)
        return logits

    def forward(self, source: Source, target_input: Tensor) -> Tensor:
        """Teacher forcing: int64 ``[B, T]`` to logits ``[B, T, V]``."""
        return self.step(target_input, self.start(source))[0]


def _within(logits: Tensor, shortlist: Tensor) -> Tensor:
    """``[N, T, V]`` with -inf wherever int64 ``[B, C]`` does not have a token."""
    count, size = len(shortlist), logits.shape[2]
    others = torch.ones(count, size, dtype=torch.bool, device=logits.device)
    others.scatter_(1, shortlist, False)
    rows = logits.view(count, -1, size)  # [N, T, V] → [B, K·T, V]
    return rows.masked_fill(others[:, None], -torch.inf).view_as(logits)


def _others(vectors: Tensor, unlisted: Tensor) -> Tensor:
    """The logit ``[N, T]`` of all that is in no list, of vectors ``[N, T, D]``."""
    rows = vectors.view(len(unlisted), -1, vectors.shape[2])  # [N, T, D] → [B, K·T, D]
    found = torch.einsum("bnd,bd->bn", rows, unlisted[:, :-1]) + unlisted[:, -1:]
    return found.view(vectors.shape[:2])  # [B, K·T] → [N, T]
