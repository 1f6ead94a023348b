"""Learning an adapter from corrections.

A few corrections are learnt by heart before they teach a rule. So the edits that are the person's
own are told from the model's mistakes (:mod:`~transduce.workflow.adapting.edits`), and where they
are made is learnt from what stands beside them (:mod:`~transduce.workflow.adapting.habits`). Pairs
that the model was trained on are then written in the person's way, and the adapter learns from
these and from the corrections. Everywhere else in these pairs the base model's own probabilities
are wanted (Li & Hoiem 2018), so that nothing else is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from transduce.adapters import Adapter, AdapterLearner, LowRankChange, TaughtBatch, Teacher
from transduce.config import require_one_input
from transduce.errors import DataError
from transduce.interfaces import END
from transduce.models.seq2seq import Seq2Seq
from transduce.reading.parts import Part, parts_of
from transduce.workflow.adapting.edits import Edit, Rewritten, corrected, person_edits
from transduce.workflow.adapting.habits import Habits
from transduce.workflow.adapting.likeness import Likeness
from transduce.workflow.adapting.read_pairs import ReadPairs, own_outputs, read_pairs, teachers
from transduce.workflow.trained import TrainedModel

__all__ = ["LearntAdapter", "adapted", "learn_adapter"]

_CORRECTIONS, _KNOWN = 8, 32  # pairs of a step
_WEIGHT = 100.0  # of what is known: corrections alone would be learnt by heart
_SIZE = 0.92  # of the change that was learnt: the last of it costs others more than it gives
_MISTAKES = 1000  # pairs in which the model's ordinary mistakes are counted
_SEED = 1


@dataclass(frozen=True)
class LearntAdapter:
    """An adapter, the ``edits`` that the person makes (tokens and how often), and how many of the
    corrections are written ``before`` and ``after`` it was learnt.
    """

    adapter: Adapter
    edits: Mapping[Edit, int]
    before: int
    after: int


def adapted(trained: TrainedModel, adapter: Adapter) -> TrainedModel:
    """A trained model with the change made; the other stays as it is.

    A shortlist was learnt of what the other writes, so this one chooses among all tokens.
    """
    model, config = adapter.changed_model(trained.model, trained.config.weights), trained.config
    if config.search.shortlist:
        config = config.updated({"search.shortlist": False})
    return replace(trained, model=model, config=config, shortlist=None)


def learn_adapter(
    trained: TrainedModel,
    base: str,
    corrections: Sequence[tuple[str, str]],
    part: Part,
    known: Mapping[str, Sequence[tuple[str, str]]],
    *,
    rank: int,
    steps: int,
) -> LearntAdapter:
    """Learn from pairs as a person wants them, without losing what is ``known`` by part.

    ``base`` is the SHA-256 of the model's file of weights. Raises DataError where a correction is
    too long for the model's recipe, ModelError where there is nothing to change.
    """
    require_one_input(trained.config, "an adapter")
    change = LowRankChange(rank)
    learner = AdapterLearner(trained.model, change, _SEED)
    wanted = read_pairs(trained, part, corrections, _CORRECTIONS)
    if (count := sum(len(batch.targets) for batch in wanted)) < len(corrections):
        raise DataError(
            "corrections must be no longer than data.max_source_length and "
            f"data.max_target_length; got {len(corrections) - count} that are"
        )
    own = [own_outputs(trained, batch) for batch in wanted]
    kept = [
        batch
        for name, own_pairs in known.items()
        for batch in read_pairs(trained, parts_of(trained.config)[name], own_pairs, _KNOWN)
    ]
    looked_at = kept[:: max(1, len(kept) * _KNOWN // _MISTAKES)]  # of all lengths
    written = [own_outputs(trained, batch) for batch in looked_at]
    edits = person_edits(_paired(own, wanted), _paired(written, looked_at))
    likeness = Likeness.of(target for batch in [*kept, *wanted] for target in batch.targets)
    habits = Habits(_paired(own, wanted), edits, likeness)
    taught = [TaughtBatch.of(batch.encoded, batch.targets) for batch in wanted]
    others = [_in_their_way(trained, batch, habits) for batch in kept]
    others = others or _as_corrected(trained.model, wanted, own)
    learner.learn(taught, others, steps=steps, weight=_WEIGHT)
    adapter = Adapter(base, change, change.scaled(learner.numbers, _SIZE))
    now = [own_outputs(adapted(trained, adapter), batch) for batch in wanted]
    return LearntAdapter(adapter, edits, _right(own, wanted), _right(now, wanted))


def _in_their_way(trained: TrainedModel, batch: ReadPairs, habits: Habits) -> TaughtBatch:
    """Pairs that the model was trained on, as the person would write them.

    Nothing is said of a token that the person may write otherwise, nor of one in whose place the
    model would write one that the person changes.
    """
    said = teachers(trained.model, batch, batch.targets)
    now = [habits.rewritten(target) for target in batch.targets]
    taught = [_taught(*made) for made in zip(now, batch.targets, said, strict=True)]
    heard = [
        [
            sure and not _missed(place, target, teacher, habits)
            for place, sure in zip([*new.origins, len(target)], new.sure, strict=True)
        ]
        for target, teacher, new in zip(batch.targets, said, now, strict=True)
    ]
    return TaughtBatch.of(batch.encoded, [new.tokens for new in now], taught, heard)


def _missed(place: int | None, target: Sequence[int], teacher: Teacher, habits: Habits) -> bool:
    if place is None:
        return False
    likeliest = int(teacher.tokens[place, 0])
    return habits.changes(likeliest) and likeliest != [*target, END][place]


def _taught(new: Rewritten, old: Sequence[int], teacher: Teacher) -> Teacher:
    """The base model's probabilities at each token that stays, and at the end. At one that stands
    for another it has the other's as well: an edit makes the model no surer than it was.
    """
    origins = [new.replaced.get(row, origin) for row, origin in enumerate(new.origins)]
    found = teacher.chosen([*origins, len(teacher.tokens) - 1], new.tokens)
    for row, place in new.replaced.items():
        found.renamed(row, old[place], new.tokens[row])
    return found


def _as_corrected(
    model: Seq2Seq, wanted: Sequence[ReadPairs], own: Sequence[Sequence[Sequence[int]]]
) -> list[TaughtBatch]:
    """In the place of what is known: what the model itself writes for the sources at hand, with all
    corrections made. What it thought where it was right is to stay.
    """
    found = []
    for batch, outputs in zip(wanted, own, strict=True):
        said = teachers(model, batch, outputs)
        taught = []
        for output, target, teacher in zip(outputs, batch.targets, said, strict=True):
            taught.append(_taught(corrected(output, target), output, teacher))
        found.append(TaughtBatch.of(batch.encoded, batch.targets, taught))
    return found


def _paired(
    outputs: Sequence[Sequence[list[int]]], batches: Sequence[ReadPairs]
) -> list[tuple[list[int], list[int]]]:
    """Each output with its target."""
    return [
        (output, target)
        for own, batch in zip(outputs, batches, strict=True)
        for output, target in zip(own, batch.targets, strict=True)
    ]


def _right(outputs: Sequence[Sequence[list[int]]], batches: Sequence[ReadPairs]) -> int:
    return sum(output == target for output, target in _paired(outputs, batches))
