"""All that search and training know of a model, and all that a model knows of data.

Letters used for shapes everywhere: B sentences, K beams, N = B·K rows (row ``n`` belongs to
sentence ``n // K``), S source length, T target length, D width, H heads, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from transduce.errors import ModelError

if TYPE_CHECKING:  # what predicts without torch (transduce.light) does not wait for it
    import torch
    from torch import Tensor

__all__ = [
    "BEGIN",
    "END",
    "PADDING",
    "UNKNOWN",
    "Batch",
    "BeamPlan",
    "Candidates",
    "Embedder",
    "Ended",
    "Enumerated",
    "Frames",
    "JoinedRow",
    "Listener",
    "Memory",
    "Proposer",
    "Searcher",
    "Source",
    "State",
    "Stepper",
    "Stopping",
]

# Every vocabulary starts with the same four symbols.
PADDING, UNKNOWN, BEGIN, END = 0, 1, 2, 3

Stopping = Literal["bound", "generate", "generate-early", "generate-never"]  # see SearchConfig

Frames = NDArray[np.float32]  # [S, F]: S columns of F numbers, of a spectrogram or a picture


class JoinedRow(NamedTuple):
    """One source of two inputs, each of them tokens (without END) or frames."""

    first: Sequence[int] | Frames
    second: Sequence[int] | Frames


@dataclass(frozen=True, slots=True)
class Source:
    """A padded batch of source sequences: tokens, or frames.

    Frames are columns of numbers: of a spectrogram, of a picture. ``values`` are int64 tokens
    ``[B, S]``, each row ``x1 … xn END PADDING …``, or float frames ``[B, S, F]``, zero where
    nothing real stands; ``lengths`` is int64 ``[B]`` and counts END. Where a source has two inputs,
    ``beside`` are the second ones of the same sentences.

    ``shortlist`` int64 ``[B, C]`` are the target tokens that may be written, the four special ones
    first, rising, PADDING behind the last; None: all. Logits of others are -inf. What a model
    copies from the source is none of them. ``unlisted`` float32 ``[B, D + 1]`` are the weights
    and the bias of a logit that stands for all tokens that are not in the list; it is PADDING's,
    which nobody writes. None: other tokens have no probability.
    """

    values: Tensor
    lengths: Tensor
    shortlist: Tensor | None = None
    unlisted: Tensor | None = None
    beside: Source | None = None

    @classmethod
    def of_tokens(cls, rows: Sequence[Sequence[int]]) -> Source:
        """Pad the tokens of B sentences (without END); no sentences give ``[0, 1]``."""
        import torch

        lengths = [len(row) + 1 for row in rows]
        width = max(lengths, default=1)
        padded = [[*row, END, *[PADDING] * (width - len(row) - 1)] for row in rows]
        values = torch.tensor(padded, dtype=torch.int64).view(len(rows), width)  # [B, S]
        return cls(values, torch.tensor(lengths, dtype=torch.int64))

    @classmethod
    def of_frames(cls, rows: Sequence[Frames], width: int) -> Source:
        """Pad frames ``[S, F]`` of B sources, F being ``width``; no rows give ``[0, 1, F]``."""
        import torch

        lengths = [len(row) for row in rows]
        values = torch.zeros(len(rows), max(lengths, default=1), width)
        for place, row in enumerate(rows):
            values[place, : len(row)] = torch.from_numpy(row)
        return cls(values, torch.tensor(lengths, dtype=torch.int64))

    @property
    def is_tokens(self) -> bool:
        """Whether there are tokens, not frames."""
        return self.values.ndim == 2

    @property
    def tokens(self) -> Tensor:
        """Int64 ``[B, S]``. Raises ModelError where there are frames."""
        if not self.is_tokens:
            raise ModelError("source must be tokens for this model; got frames")
        return self.values

    @property
    def frames(self) -> Tensor:
        """Float ``[B, S, F]``. Raises ModelError where there are tokens."""
        if self.is_tokens:
            raise ModelError("source must be frames for this model; got tokens")
        return self.values

    @property
    def device(self) -> torch.device:
        """Where the values are."""
        return self.values.device

    @property
    def mask(self) -> Tensor:
        """Bool ``[B, S]``, true at real positions."""
        import torch

        positions = torch.arange(self.values.shape[1], device=self.device)
        return positions < self.lengths[:, None]

    def select(self, sentences: Tensor) -> Source:
        """Keep some sentences (int64 ``[B']``); columns that are now all padding go too."""
        kept = self._each(lambda tensor: tensor[sentences])
        longest = int(kept.lengths.max()) if kept.lengths.numel() else 0
        beside = None if self.beside is None else self.beside.select(sentences)
        return replace(kept, values=kept.values[:, :longest], beside=beside)

    def to(self, device: torch.device | str) -> Source:
        """Move to a device, without waiting where the memory is pinned."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Source:
        """Copy into page-locked memory, for faster transfers to a GPU."""
        return self._each(lambda tensor: tensor.pin_memory())

    def _each(self, change: Callable[[Tensor], Tensor]) -> Source:
        return Source(
            change(self.values),
            change(self.lengths),
            None if self.shortlist is None else change(self.shortlist),
            None if self.unlisted is None else change(self.unlisted),
            None if self.beside is None else self.beside._each(change),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Pairs for one step of training.

    ``target`` is int64 ``[B, T + 1]``, each row ``BEGIN y1 … yn END PADDING …``; ``target_lengths``
    int64 ``[B]`` counts what the model must predict, END too; ``indices`` are those in the corpus.
    """

    source: Source
    target: Tensor
    target_lengths: Tensor
    indices: tuple[int, ...]

    @property
    def target_input(self) -> Tensor:
        """What the decoder reads, int64 ``[B, T]``."""
        return self.target[:, :-1]

    @property
    def target_output(self) -> Tensor:
        """What the decoder must predict, int64 ``[B, T]``."""
        return self.target[:, 1:]

    def to(self, device: torch.device | str) -> Batch:
        """Move to a device."""
        return Batch(
            self.source.to(device),
            self.target.to(device, non_blocking=True),
            self.target_lengths.to(device, non_blocking=True),
            self.indices,
        )

    def pin_memory(self) -> Batch:
        """Copy into page-locked memory."""
        return Batch(
            self.source.pin_memory(),
            self.target.pin_memory(),
            self.target_lengths.pin_memory(),
            self.indices,
        )


@dataclass(frozen=True, slots=True)
class Memory:
    """What an encoder hands to a decoder.

    ``vectors`` ``[B, S, D]``; ``mask`` bool ``[B, S]``, true at real positions; ``tokens`` int64
    ``[B, S]``, the source itself (a copying decoder points into it), or None where the source is
    frames; ``summary`` ``[B, L, D]``, one vector a layer for the first state of a recurrent decoder
    (the last state of a recurrent encoder, the mean of a Transformer's vectors, L = 1). Over frames
    S may be shorter than the source's: a frontend may make one vector of several frames.
    """

    vectors: Tensor
    mask: Tensor
    tokens: Tensor | None
    summary: Tensor

    def select(self, sentences: Tensor) -> Memory:
        """Keep some sentences (int64 ``[B']``)."""
        return Memory(
            self.vectors[sentences],
            self.mask[sentences],
            None if self.tokens is None else self.tokens[sentences],
            self.summary[sentences],
        )


class State(Protocol):
    """What a decoder remembers between steps, immutable: each method gives a new one."""

    @property
    def attention(self) -> Tensor | None:
        """Weights over the memory at the last step, ``[N, T, S]``; None unless asked for."""
        ...

    @property
    def mask(self) -> Tensor:
        """Bool ``[B, S]``, true where the memory holds something real."""
        ...

    def expand(self, beams: int) -> Self:
        """From B rows to B·K rows, each sentence's row K times in a line; memory not copied."""
        ...

    def reorder(self, rows: Tensor) -> Self:
        """Row n becomes what row ``rows[n]`` was (int64 ``[N]``, within its own sentence)."""
        ...

    def select(self, sentences: Tensor) -> Self:
        """Keep the sentences with these numbers (int64 ``[B']``), all their rows."""
        ...


S = TypeVar("S", bound=State)


class Stepper(Protocol[S]):
    """A model as search sees it. Teacher forcing and search run the same ``step``."""

    def start(self, source: Source, *, attention: bool = False) -> S:
        """Encode once; the state has N = B rows. ``attention`` asks for weights at each step."""
        ...

    def step(self, tokens: Tensor, state: S) -> tuple[Tensor, S]:
        """Read int64 ``[N, T]`` (T ≥ 1), give logits ``[N, T, V]`` for the token after each."""
        ...


class Embedder(Protocol[S]):
    """A model whose inputs can be had, and given, as vectors: what training runs.

    ``enter`` and ``begin`` together are a stepper's ``start``, ``embed`` and ``proceed`` its
    ``step``.
    """

    def enter(self, source: Source) -> tuple[Tensor, Source]:
        """What the encoder reads: vectors ``[B, S', E]``, and a source of their lengths."""
        ...

    def begin(self, vectors: Tensor, source: Source) -> S:
        """Encode what ``enter`` gave, or vectors in its place."""
        ...

    def embed(self, tokens: Tensor) -> Tensor:
        """What the decoder reads: int64 ``[N, T]`` to vectors ``[N, T, E]``."""
        ...

    def proceed(self, vectors: Tensor, state: S) -> tuple[Tensor, S]:
        """Read ``[N, T, E]``, give logits ``[N, T, V]`` for the token after each."""
        ...


@runtime_checkable
class Enumerated(Protocol):
    """A stepper that knows its vocabulary: then unknown tokens among the constraints of a search
    are refused before anything is read.
    """

    @property
    def vocabulary(self) -> int | None:
        """How many symbols there are, V; None where the stepper cannot say."""
        ...


@runtime_checkable
class Listener(Stepper[S], Protocol[S]):
    """A stepper with a second output, on the encoder: connectionist temporal classification."""

    def ctc_log_probs(self, state: S) -> Tensor | None:
        """Log-probabilities of each position's symbol, float32 ``[B, S·K, V]``.

        Each vector of the memory has K positions. PADDING is the blank, certain where nothing real
        stands. None where the model has no such output.
        """
        ...


@dataclass(frozen=True, slots=True)
class Candidates:
    """The most probable next tokens of each row, best first; of equals the smaller token first.

    ``log_probs`` float32 ``[N, C]``, from a softmax over all tokens that may be written; ``tokens``
    int64 ``[N, C]``, never PADDING, UNKNOWN or BEGIN, which no output holds. Where fewer than C
    may be written, the others are at -inf, and of no meaning.
    """

    log_probs: Tensor
    tokens: Tensor


@runtime_checkable
class Proposer(Stepper[S], Protocol[S]):
    """A stepper that can go from logits to candidates in one pass. Search asks it to where
    its options need no full rows of log-probabilities.
    """

    def propose(self, tokens: Tensor, state: S, count: int) -> tuple[Candidates, S]:
        """Read int64 ``[N, 1]`` like ``step``, give ``count`` candidates a row (C is V - 3
        where that is less).

        A row whose logits are not numbers has NaN as its first log-probability. The
        candidates are read before the next call, which may write into the same tensors.
        """
        ...


@dataclass(frozen=True, slots=True)
class BeamPlan:
    """A greedy or beam search that needs no full rows, told in numbers.

    ``least`` and ``most`` are the tokens that each sentence's output may have (END not
    counted, ``prefix`` counted); ``penalties[n]`` is what the log-probability of n scored
    tokens (END counted) is divided by, for n up to the largest of ``most`` plus 2. The first
    ``free`` tokens of ``prefix`` score 0, no token of ``banned_first`` follows it. ``stopping``
    and ``forced_end`` as in ``SearchConfig``.
    """

    beam: int
    nbest: int
    least: tuple[int, ...]
    most: tuple[int, ...]
    penalties: tuple[float, ...]
    prefix: tuple[int, ...] = ()
    free: int = 0
    banned_first: tuple[int, ...] = ()
    stopping: Stopping = "bound"
    forced_end: bool = False

    def select(self, sentences: Sequence[int]) -> BeamPlan:
        """The search of some of the sentences."""
        least = tuple(self.least[sentence] for sentence in sentences)
        return replace(self, least=least, most=tuple(self.most[sentence] for sentence in sentences))


@dataclass(frozen=True, slots=True)
class Ended:
    """An output of a search: its tokens (without END), the log-probability of each, then of END
    where it ``finished``, and the score that it is ranked by.
    """

    tokens: tuple[int, ...]
    token_scores: tuple[float, ...]
    score: float
    finished: bool


@runtime_checkable
class Searcher(Stepper[S], Protocol[S]):
    """A stepper that can make whole searches itself. The rules are those of ``search``."""

    def search(
        self, source: Source, plan: BeamPlan, state: S | None = None
    ) -> list[list[Ended]] | None:
        """The outputs of each sentence, best first; None where it cannot make this one.

        ``state`` is what ``start`` made of the source, where that is there already.
        """
        ...
