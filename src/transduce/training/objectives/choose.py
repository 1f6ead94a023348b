"""From a recipe to what is minimised."""

from __future__ import annotations

from transduce.config import TrainingConfig
from transduce.models.seq2seq import Seq2Seq
from transduce.training.objectives.cross_entropy import CrossEntropy
from transduce.training.objectives.ctc import CTC
from transduce.training.objectives.weighted import Weighted

__all__ = ["choose_objectives"]


def choose_objectives(config: TrainingConfig, model: Seq2Seq) -> tuple[Weighted, ...]:
    """Cross-entropy of the decoder; of a model with a CTC output, that too by its share."""
    decoder = CrossEntropy(config.label_smoothing)
    if model.ctc is None or not config.ctc_weight:
        return (Weighted(1.0, decoder),)
    return (Weighted(1 - config.ctc_weight, decoder), Weighted(config.ctc_weight, CTC()))
