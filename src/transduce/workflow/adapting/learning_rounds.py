"""Learning an adapter from corrections, in rounds.

A few corrections are learnt by heart before they teach a rule. So after a first round the adapted
model writes what it was once trained on, and of the difference to the targets those edits are kept
that the person makes too (:mod:`~transduce.workflow.adapting.edits`): pairs in the person's
own way, on which the next round goes on. It is self-training (Scudder 1965; He et al. 2020), with
the edits of the person as the filter. Everywhere else in these pairs the base model's own
probabilities are wanted (Li & Hoiem 2018), so that nothing else is lost.
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
from transduce.workflow.adapting.edits import Edit, Habit, Rewritten, person_edits, rewrite
from transduce.workflow.adapting.read_pairs import ReadPairs, own_outputs, read_pairs, teachers
from transduce.workflow.trained import TrainedModel

__all__ = ["LearntAdapter", "adapted", "learn_adapter"]

_CORRECTIONS, _KNOWN = 64, 32  # pairs of a step
_FIRST, _LATER = 3.0, 20.0  # weight of what is known in the first round, and when it is rewritten
_ROUNDS = 4
_ALWAYS = 0.75  # share of a token that a person changes, above which it is not kept on purpose
_SEED = 1


@dataclass(frozen=True)
class LearntAdapter:
    """An adapter, the ``edits`` that the person makes (tokens and how often), and how many of the
    corrections are written ``before`` and ``after`` it was learnt.
    """

    adapter: Adapter
    edits: Mapping[Edit, Habit]
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
    learner = AdapterLearner(trained.model, LowRankChange(rank), _SEED)
    wanted = read_pairs(trained, part, corrections, _CORRECTIONS)
    if (count := sum(len(batch.targets) for batch in wanted)) < len(corrections):
        raise DataError(
            "corrections must be no longer than data.max_source_length and "
            f"data.max_target_length; got {len(corrections) - count} that are"
        )
    own = [own_outputs(trained, batch) for batch in wanted]
    kept = _known_of(trained, known)
    edits = person_edits(_paired(own, wanted), _paired(kept.outputs, kept.batches))
    taught = [TaughtBatch.of(batch.encoded, batch.targets) for batch in wanted]
    rounds = _KnownRounds(trained, kept, edits)
    for number in range(_ROUNDS):
        outputs = rounds.outputs(_adapter(base, rank, learner)) if number else None
        others = rounds.taught(outputs) or _as_corrected(trained.model, wanted, own)
        share = steps * (number + 1) // _ROUNDS - steps * number // _ROUNDS
        weight = _LATER if number else _FIRST
        learner.learn(taught, others, steps=share, weight=weight)
    adapter = _adapter(base, rank, learner)
    now = [own_outputs(adapted(trained, adapter), batch) for batch in wanted]
    return LearntAdapter(adapter, edits, _right(own, wanted), _right(now, wanted))


def _adapter(base: str, rank: int, learner: AdapterLearner) -> Adapter:
    return Adapter(base, LowRankChange(rank), learner.numbers)


@dataclass(frozen=True)
class _Known:
    """Pairs that the model was trained on, and what it writes for their sources."""

    batches: list[ReadPairs]
    outputs: list[list[list[int]]]


def _known_of(trained: TrainedModel, known: Mapping[str, Sequence[tuple[str, str]]]) -> _Known:
    parts = parts_of(trained.config)
    batches = [
        batch
        for name, pairs in known.items()
        for batch in read_pairs(trained, parts[name], pairs, _KNOWN)
    ]
    return _Known(batches, [own_outputs(trained, batch) for batch in batches])


class _KnownRounds:
    """What is known, as it is taught in each round."""

    def __init__(self, trained: TrainedModel, known: _Known, edits: Mapping[Edit, Habit]) -> None:
        self._trained, self._known, self._edits = trained, known, edits
        shares: dict[int, float] = {}
        for (old, _), habit in edits.items():
            if old is not None:
                shares[old] = shares.get(old, 0.0) + habit.share
        self._shares = shares  # of each token that the person changes, how much of it
        self._teachers = [teachers(trained.model, batch, batch.targets) for batch in known.batches]

    def outputs(self, adapter: Adapter) -> list[list[list[int]]]:
        """What the adapted model writes for each source."""
        now = adapted(self._trained, adapter)
        return [own_outputs(now, batch) for batch in self._known.batches]

    def taught(self, outputs: Sequence[Sequence[Sequence[int]]] | None) -> list[TaughtBatch]:
        """The pairs with the edits of the person that are in ``outputs``; None: as they are.

        Of a token that the person changes and ``outputs`` have nothing is said, unless the person
        often keeps it, and they have it where it was.
        """
        found = []
        for number, (batch, said) in enumerate(
            zip(self._known.batches, self._teachers, strict=True)
        ):
            written = [()] * len(said) if outputs is None else outputs[number]
            now = [
                rewrite(target, output, self._edits if outputs else ())
                for target, output in zip(batch.targets, written, strict=True)
            ]
            taught = [_taught(new, teacher) for new, teacher in zip(now, said, strict=True)]
            heard = [
                self._heard(target, teacher, new)
                for target, teacher, new in zip(batch.targets, said, now, strict=True)
            ]
            targets = [new.tokens for new in now]
            found.append(TaughtBatch.of(batch.encoded, targets, taught, heard))
        return found

    def _heard(self, target: Sequence[int], teacher: Teacher, new: Rewritten) -> list[bool]:
        """Whether something is said of each token, and of the end."""
        likeliest, shares = teacher.tokens[:, 0].tolist(), self._shares
        found = []
        for place, agreed in zip([*new.origins, len(target)], [*new.agreed, True], strict=True):
            own = END if place is None or place == len(target) else target[place]
            kept = own not in shares or (agreed and shares[own] < _ALWAYS)
            missed = place is not None and likeliest[place] != own and likeliest[place] in shares
            found.append(place is None or (kept and not missed))
        return found


def _taught(new: Rewritten, teacher: Teacher) -> Teacher:
    """The base model's probabilities at each token that stays, and at the end."""
    return teacher.chosen([*new.origins, len(teacher.tokens) - 1], new.tokens)


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
            everything = {(old, new) for old in {*output, None} for new in {*target, None}}
            taught.append(_taught(rewrite(output, target, everything), teacher))
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
