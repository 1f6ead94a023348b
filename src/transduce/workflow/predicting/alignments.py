"""Which part of a source each part of an output was written from: pairs of positions.

Positions count from 0 what a person counts: words, where the tokens of a text are pieces of them,
else symbols.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from transduce.errors import ModelError
from transduce.interfaces import BEGIN, END, Source, Stepper
from transduce.search import Hypothesis
from transduce.tokenization.joint import Coder
from transduce.tokenization.tags import find_tags

__all__ = [
    "Aligner",
    "AttentionAligner",
    "Pairs",
    "ReplacementAligner",
    "aligned",
    "positions",
]

Pairs = tuple[tuple[int, int], ...]
Floats = NDArray[np.float64]

_NONE = -1  # the position of what is no text: tags, language codes, the end
_OF_WORDS = ("word", "bpe", "unigram", "imported")  # tokens of these may be pieces of words
_ORDINARY = END + 1  # the first symbol that is none of the four special ones
_LEAST = -1e9  # of a logit
_NOTHING = 1e-6  # nats: a symbol that tells less tells of no token
_ROOM = 1 << 23  # logits that are there at once: 32 MB


class Aligner(Protocol):
    """What says how much each symbol of a source has to do with each token of an output."""

    @property
    def reads_attention(self) -> bool:
        """Whether outputs must have been read once more, with their attention."""
        ...

    def __call__(self, row: Sequence[int], tokens: Sequence[int], found: Hypothesis) -> Floats:
        """Weights ``[T, S]`` of an output's T tokens over S symbols of a source, END excluded."""
        ...


class AttentionAligner:
    """The decoder's attention at the step that wrote each token.

    That of a Transformer is the mean over the heads of its last layer. The step that reads the
    token (Chen et al. 2020) measured worse on texts whose alignment is known.
    """

    reads_attention = True

    def __call__(self, row: Sequence[int], tokens: Sequence[int], found: Hypothesis) -> Floats:
        """See :class:`Aligner`. Raises ModelError where the model has no attention."""
        read = found.retraced
        if read is None or read.attention is None:
            raise ModelError(
                "alignments must be asked of a model with attention; got one without "
                "(by replacement they can be asked of any)"
            )
        return read.attention[: len(tokens), : len(row)].astype(np.float64)


@dataclass(frozen=True)
class ReplacementAligner:
    """How much each token hangs on which symbol stands at each position of the source.

    With a symbol replaced by each of ``draws`` others, and as it is, the model gives C
    distributions ``p_c`` of the token at step t after the same prefix. Their Jensen-Shannon
    divergence ``1/C Σ_c KL(p_c ‖ 1/C Σ p)`` (Lin 1991) is what the symbol tells of the token. It is
    divided by the largest over all steps: a symbol without which the model loses its place tells
    of many tokens, but is written as one. Any ``stepper`` will do; ``size`` is that of the source's
    vocabulary. It costs ``draws`` times S encodings and readings of the output.
    """

    stepper: Stepper[Any]
    size: int
    device: torch.device
    draws: int = 8

    reads_attention = False

    @torch.no_grad()
    def __call__(self, row: Sequence[int], tokens: Sequence[int], found: Hypothesis) -> Floats:
        """See :class:`Aligner`."""
        if not len(tokens):
            return np.zeros((0, len(row)))
        read = torch.tensor([[BEGIN, *tokens[:-1]]], device=self.device)
        own = self._log_probs([list(row)], read)  # [1, T, V]
        replaced = self._replaced(row)
        together = max(1, _ROOM // own.numel() // (self.draws + 1))
        weights = []
        for first in range(0, len(row), together):
            some = replaced[first : first + together]
            others = self._log_probs([other for each in some for other in each], read)
            each = others.view(len(some), -1, *own.shape[1:])  # [S, C, T, V]
            every = torch.cat([each, own.expand(len(some), 1, -1, -1)], dim=1)
            mean = every.logsumexp(dim=1, keepdim=True) - math.log(every.shape[1])
            told = (every.exp() * (every - mean)).sum(-1).mean(1)  # [S, T]
            weights.append(told / told.amax(dim=1, keepdim=True).clamp(min=_NOTHING))
        return torch.cat(weights).T.double().cpu().numpy()  # [T, S]

    def _replaced(self, row: Sequence[int]) -> list[list[list[int]]]:
        """For each position the source with others there, no two alike, the same each time."""
        known = max(1, self.size - _ORDINARY)
        count = max(1, min(self.draws, known - 1))
        chance = torch.Generator().manual_seed(1)
        # So many steps on from itself, so that none is replaced by itself.
        apart = max(1, (known - 1) // count)
        first = torch.randint(1, apart + 1, (len(row), 1), generator=chance)
        steps = first + apart * torch.arange(count)
        own = torch.tensor([*row])[:, None]
        others = (own - _ORDINARY + steps) % known + _ORDINARY
        return [
            [[*row[:place], other, *row[place + 1 :]] for other in each]
            for place, each in enumerate(others.tolist())
        ]

    def _log_probs(self, rows: list[list[int]], read: torch.Tensor) -> torch.Tensor:
        """``[N, T, V]`` of N sources as long as each other."""
        state = self.stepper.start(Source.of_tokens(rows).to(self.device))
        logits, _ = self.stepper.step(read.expand(len(rows), -1), state)
        # What is impossible (-inf) tells nothing, and 0 · -inf would be no number.
        return logits.float().clamp(min=_LEAST).log_softmax(dim=-1)


def aligned(weights: Floats, source: Sequence[int], target: Sequence[int]) -> Pairs:
    """For each position of an output the position of the source with most of the weight.

    ``weights`` ``[T, S]`` of tokens; ``source`` ``[S]`` and ``target`` ``[T]`` are the positions
    that tokens belong to, below 0 for none. Weights of the tokens of one position are added up.
    """
    count = max(source, default=_NONE) + 1
    if not count:
        return ()
    read, written = np.asarray(source), np.asarray(target)
    if (written < 0).all():
        return ()
    sums = np.zeros((written.max() + 1, count))
    rows, columns = np.flatnonzero(written >= 0), np.flatnonzero(read >= 0)
    own = weights[np.ix_(rows, columns)]
    np.add.at(sums, (written[rows][:, None], read[columns]), own)
    return tuple((int(sums[place].argmax()), place) for place in np.unique(written[rows]).tolist())


def positions(own: Coder, tokens: Sequence[int], skipped: int, closing: int = 0) -> list[int]:
    """The position in its text that each token belongs to, below 0 for none.

    The first ``skipped`` and the last ``closing`` tokens are no text, nor are tags. What is read
    or written from the right begins with the last position.
    """
    turn = -1 if own.config.right_to_left else 1
    text = tokens[skipped : len(tokens) - closing][::turn]
    plain = _plain(own, text)
    kept = [token for token, is_plain in zip(text, plain, strict=True) if is_plain]
    places = iter(_places(own, kept, turn))
    found = [next(places) if is_plain else _NONE for is_plain in plain][::turn]
    return [*[_NONE] * skipped, *found, *[_NONE] * closing]


def _plain(own: Coder, tokens: Sequence[int]) -> list[bool]:
    """Whether each is text: no tag, nor, where texts have words, what is written as nothing."""
    found = [not find_tags(symbol) for symbol in own.symbols(tokens)]
    if own.config.kind not in _OF_WORDS:
        return found
    written = [bool(own.decode([token]).strip()) for token in tokens]
    return [is_plain and is_written for is_plain, is_written in zip(found, written, strict=True)]


def _places(own: Coder, tokens: Sequence[int], turn: int) -> list[int]:
    """Of tokens from left to right: how far the text has got with each."""
    if own.config.kind == "byte":  # a character may be several
        return [max(0, len(own.decode(tokens[: n + 1][::turn])) - 1) for n in range(len(tokens))]
    if own.config.kind not in _OF_WORDS:
        return list(range(len(tokens)))
    return [
        max(0, len(own.decode(tokens[: n + 1][::turn]).split()) - 1) for n in range(len(tokens))
    ]
