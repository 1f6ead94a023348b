"""From a recipe to what is minimised."""

from __future__ import annotations

from transduce.config import TrainingConfig
from transduce.models.seq2seq import Seq2Seq
from transduce.training.objectives.cross_entropy import CrossEntropy
from transduce.training.objectives.ctc import CTC
from transduce.training.objectives.distillation import Distillation, Teaching
from transduce.training.objectives.weighted import Weighted

__all__ = ["choose_objectives"]


def choose_objectives(
    config: TrainingConfig, model: Seq2Seq, teaching: Teaching | None = None
) -> tuple[Weighted, ...]:
    """Cross-entropy of the decoder; by their shares, what a teacher says in the place of the
    references, and the CTC output of a model that has one.
    """
    ctc = config.ctc_weight if model.ctc is not None else 0.0
    taught = config.teacher_weight if teaching is not None else 0.0
    chosen = [Weighted((1 - ctc) * (1 - taught), CrossEntropy(config.label_smoothing))]
    if teaching is not None:
        lesson = Distillation(teaching, config.teacher_temperature)
        chosen.append(Weighted((1 - ctc) * taught, lesson))
    if ctc:
        chosen.append(Weighted(ctc, CTC()))
    return tuple(each for each in chosen if each.weight)
