"""Whether a model goes the way that is asked of it: from targets to sources, or with them."""

from __future__ import annotations

from collections.abc import Sequence

from transduce.errors import ConfigError
from transduce.models.seq2seq import Seq2Seq
from transduce.reading.pair_files import Example, Pair
from transduce.workflow.evaluate import loss_totals, pair_batches
from transduce.workflow.trained import TrainedModel

__all__ = ["require_direction"]

_CLEARLY = 1.0  # nats a token


def require_direction(
    trained: TrainedModel, part: str | None, pairs: Sequence[Pair], *, forward: bool
) -> None:
    """Raise ConfigError where the model, ``part`` of it, finds the pairs much likelier the other
    way round: targets given sources if it is to go from targets to sources.
    """
    if not pairs or not isinstance(trained.model, Seq2Seq):
        return
    there = [Example(pair.source, (pair.target or "",)) for pair in pairs]
    back = [Example(pair.target or "", (pair.source,)) for pair in pairs]
    asked, other = (there, back) if forward else (back, there)
    losses = [
        loss_totals(trained.model, pair_batches(trained, examples, part)).loss
        for examples in (asked, other)
    ]
    if losses[0] < losses[1] + _CLEARLY:
        return
    option, reads, writes, instead = (
        ("--sources", "sources", "targets", "--text")
        if forward
        else ("--text", "targets", "sources", "--sources")
    )
    raise ConfigError(
        f"--model must read {reads} and write {writes} with {option}; got one that goes the other "
        f"way (of the recipe's pairs {losses[0]:.1f} nats a token this way, {losses[1]:.1f} that "
        f"way): give another, or {instead}"
    )
