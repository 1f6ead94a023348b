"""Changes to the scores of tokens that forbid nothing by themselves: penalties and biases.

Each is what an option of the same meaning does in ``generate`` of Hugging Face transformers, in the
same order: on logits where one hypothesis goes on at a time, on log-probabilities in a beam.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from transduce.config import SearchConfig
from transduce.interfaces import END, PADDING, Source
from transduce.search.rules.repeats import ban_repeats, followed

__all__ = ["UNADJUSTED", "Adjuster", "Adjustments", "written_before"]

Phrase = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Adjustments:
    """What bears on the scores of a search beside bans, in numbers of target tokens.

    ``ends`` are the tokens that end an output (none named: END alone; END is an ordinary token
    where it is not among them). ``begin`` is what the decoder read before the prefix, as tokens
    that it could write: they count as written where repetitions are looked for. ``biases`` are
    added to the score of the last token of each phrase wherever the tokens before it stand.
    ``end_growth`` ``(n, f)`` raises the score of an end after n tokens by a factor of ``f`` for
    each further one. ``renormalized``: scores are made probabilities again after all changes.

    ``source_tokens[t]`` is the target token of source token t (PADDING: none).
    ``source_penalty`` divides what the source holds, no run of ``source_ngram`` tokens of the
    source is repeated, and where the source ``is_prompt`` its tokens count as written.
    """

    ends: Phrase = ()
    begin: Phrase = ()
    biases: tuple[tuple[Phrase, float], ...] = ()
    end_growth: tuple[int, float] | None = None
    renormalized: bool = False
    source_tokens: Phrase = ()
    source_penalty: float = 1.0
    source_ngram: int | None = None
    is_prompt: bool = False

    @property
    def final(self) -> Phrase:
        """The tokens that end an output."""
        return self.ends or (END,)

    def asks_rows(self) -> bool:
        """Whether the scores of all tokens are needed."""
        return self.changes_scores() or self.renormalized or self.ends not in ((), (END,))

    def changes_scores(self) -> bool:
        """Whether some score becomes another."""
        return bool(
            self.biases
            or self.end_growth is not None
            or self.source_penalty != 1
            or self.source_ngram is not None
        )

    @property
    def largest_token(self) -> int:
        """The largest token named; -1 where there is none."""
        phrases = (phrase for phrase, _ in self.biases)
        named = (*self.ends, *self.begin, *self.source_tokens)
        return max((*named, *(token for phrase in phrases for token in phrase)), default=-1)


UNADJUSTED = Adjustments()


def written_before(
    adjustments: Adjustments, source: Source, prefix: Phrase, lanes: int, width: int
) -> Tensor:
    """What stands before the first choice of each hypothesis, int64 ``[M, W, t]``.

    A prompt's tokens, with PADDING on the left of shorter ones, what the decoder began with, and
    the prefix; ``lanes`` are those of one sentence.
    """
    device, count = source.device, len(source.lengths)
    fixed = torch.tensor([*adjustments.begin, *prefix], dtype=torch.int64, device=device)
    written = fixed.repeat(count, 1)  # [B, P]
    if adjustments.is_prompt:
        prompts = _source_rows(adjustments, source, with_end=False)
        written = torch.cat([prompts, written], dim=1)  # [B, S] beside [B, P]
    shape = (count * lanes, width, written.shape[1])
    # [B, t] → [M, t] → [M, W, t]
    return written.repeat_interleave(lanes, dim=0)[:, None].expand(shape).contiguous()


def _source_rows(adjustments: Adjustments, source: Source, *, with_end: bool) -> Tensor:
    """Sources as target tokens, with PADDING on the left: ``[B, S]``."""
    table = torch.tensor(adjustments.source_tokens, dtype=torch.int64, device=source.device)
    rows = table[source.tokens]
    without = 0 if with_end else 1
    lengths = source.lengths[:, None] - without
    width = rows.shape[1] - without
    places = torch.arange(width, device=source.device) - width + lengths
    kept = rows.gather(1, places.clamp(min=0))
    return torch.where(places >= 0, kept, torch.full_like(kept, PADDING))


class Adjuster:
    """Applies all changes that are asked for; follows what each hypothesis has written.

    A ``Ban``, though it sets nothing to -inf but what repeats the source.
    """

    def __init__(
        self,
        options: SearchConfig,
        adjustments: Adjustments,
        source: Source,
        written: Tensor,
        lanes: int,
        begun: int,
    ) -> None:
        """``written`` as :func:`written_before` gives it, ``begun`` tokens of it being those of
        the prefix; ``lanes`` are those of one sentence.
        """
        self._written = written
        self._unchosen = written.shape[2] - begun  # tokens that are no part of the output
        self._changes: list[Callable[[Tensor], None]] = []
        self._penalty = options.repetition_penalty
        self._adjustments = adjustments
        self._source: Tensor | None = None
        self._sentence = torch.arange(len(source.lengths), device=source.device)
        self._sentence = self._sentence.repeat_interleave(lanes * written.shape[1])
        if adjustments.source_penalty != 1 or adjustments.source_ngram is not None:
            own = not adjustments.is_prompt
            self._source = _source_rows(adjustments, source, with_end=own)
        for asked, change in (
            (bool(adjustments.biases), self._add_biases),
            (adjustments.source_penalty != 1, self._penalize_source),
            (self._penalty != 1, self._penalize_written),
            (adjustments.source_ngram is not None, self._ban_source_runs),
            (adjustments.end_growth is not None, self._raise_ends),
        ):
            if asked:
                self._changes.append(change)

    def apply(self, log_probs: Tensor) -> None:
        """See ``Ban``; ``log_probs`` may be logits."""
        for change in self._changes:
            change(log_probs)

    def follow(self, rows: Tensor, tokens: Tensor) -> None:
        """See ``Ban``."""
        self._written = followed(self._written, rows, tokens)
        self._sentence = self._sentence[rows.flatten()]  # [M', W] → [N']

    def _add_biases(self, scores: Tensor) -> None:
        length = self._written.shape[2]
        for phrase, bias in self._adjustments.biases:
            *before, last = phrase
            if len(before) > length:
                continue
            wanted = torch.tensor(before, dtype=torch.int64, device=scores.device)
            same = (self._written[..., length - len(before) :] == wanted).all(dim=2)
            scores[..., last] += bias * same

    def _penalize_written(self, scores: Tensor) -> None:
        """A logit above zero is divided by the penalty, one below multiplied (Keskar 2019)."""
        if self._written.shape[2]:
            _penalize(scores, self._written, self._penalty)

    def _penalize_source(self, scores: Tensor) -> None:
        source = self._source_of(scores)
        if source.shape[2]:
            _penalize(scores, source, 1 / self._adjustments.source_penalty)

    def _ban_source_runs(self, scores: Tensor) -> None:
        """What follows in the source wherever it holds the last tokens of the output."""
        size = self._adjustments.source_ngram or 1
        ban_repeats(scores, self._written, self._source_of(scores), size)

    def _raise_ends(self, scores: Tensor) -> None:
        growth = self._adjustments.end_growth
        if growth is None:
            return
        start, factor = growth
        steps = self._written.shape[2] - self._unchosen - start
        if steps > 0:
            ends = list(self._adjustments.final)
            scores[..., ends] += scores[..., ends].abs() * (factor**steps - 1)

    def _source_of(self, scores: Tensor) -> Tensor:
        """The source of each hypothesis, ``[M, W, S]``."""
        if self._source is None:
            return self._written[..., :0]
        rows = self._source[self._sentence]
        return rows.view(*scores.shape[:2], rows.shape[1])  # [N, S] → [M, W, S]


def _penalize(scores: Tensor, tokens: Tensor, penalty: float) -> None:
    """Scores ``[M, W, V]`` of ``tokens`` ``[M, W, t]``, each once however often it stands there."""
    found = scores.gather(2, tokens)
    scores.scatter_(2, tokens, torch.where(found < 0, found * penalty, found / penalty))
