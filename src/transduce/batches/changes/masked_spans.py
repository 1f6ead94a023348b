"""Sources with spans hidden: a model learns from text alone by writing what is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from transduce.batches.changes.chance_of_pairs import chance_of_pair
from transduce.batches.changes.subword_sampling import rows_of
from transduce.interfaces import BEGIN, UNKNOWN, Batch, Source

__all__ = ["MaskedSpans"]

_USE = 2  # of the numbers that are drawn for a pair


@dataclass(frozen=True)
class MaskedSpans:
    """Puts one UNKNOWN in the place of each of some spans of a source.

    Of n tokens ``share · n`` are hidden, in spans of ``mean`` tokens in the mean, each number
    rounded up or down by chance; all ways to cut and to place them are equally likely, and two
    spans never touch. One token at least is hidden and one stays. Tags (from ``first_tag`` on)
    stay. Targets are as they were (text infilling: Lewis et al. 2020, without spans of no token)
    or, with ``only_spans``, UNKNOWN and what was hidden, span after span (Raffel et al. 2020, who
    number the spans).
    """

    share: float
    mean: float
    first_tag: int
    seed: int
    only_spans: bool = False

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        """The batch as the epoch hides its spans."""
        if not batch.indices:
            return batch
        source = batch.source
        sources, targets = [], []
        for row, index in zip(rows_of(source.tokens, source.lengths), batch.indices, strict=True):
            left, hidden = self._masked(row, chance_of_pair(self.seed, epoch, index, _USE))
            sources.append(left)
            targets.append([BEGIN, *hidden])
        changed = replace(batch, source=Source.of_tokens(sources))
        if not self.only_spans:
            return changed
        target = Source.of_tokens(targets)
        return replace(changed, target=target.values, target_lengths=target.lengths - 1)

    def _masked(self, row: Sequence[int], chance: Random) -> tuple[list[int], list[int]]:
        """What is left of a row, and what was hidden behind each UNKNOWN."""
        hidden = self._hidden(sum(token < self.first_tag for token in row), chance)
        left: list[int] = []
        spans: list[int] = []
        place, begun = 0, False
        for token in row:
            is_tag = token >= self.first_tag
            hides = not is_tag and hidden[place]
            place += not is_tag
            if hides:
                if not begun:
                    left.append(UNKNOWN)
                    spans.append(UNKNOWN)
                spans.append(token)
            else:
                left.append(token)
            begun = hides
        return left, spans

    def _hidden(self, count: int, chance: Random) -> list[bool]:
        """Which of so many tokens are."""
        if count < 2:
            return [False] * count
        masked = min(max(1, int(count * self.share + chance.random())), count - 1)
        left = count - masked
        spans = min(max(1, int(masked / self.mean + chance.random())), masked, left + 1)
        cuts = sorted(chance.sample(range(1, masked), spans - 1))
        lengths = [end - start for start, end in zip([0, *cuts], [*cuts, masked], strict=True)]
        before = dict(zip(sorted(chance.sample(range(left + 1), spans)), lengths, strict=True))
        hidden: list[bool] = []
        for place in range(left + 1):  # before each token that stays, and at the end
            hidden += [True] * before.get(place, 0) + [False]
        return hidden[:-1]
