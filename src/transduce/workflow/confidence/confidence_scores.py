"""How good a model's confidence is on a test set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from transduce.errors import ConfigError, ModelError
from transduce.evaluation.confidence_report import ConfidenceReport, report_confidence
from transduce.workflow.confidence.correctness import qualities, right_words
from transduce.workflow.evaluate import Evaluation
from transduce.workflow.predicting.details import Details
from transduce.workflow.trained import TrainedModel

__all__ = ["confident_details", "measure_confidence"]


def confident_details(trained: TrainedModel, least: float = 0.0) -> Details:
    """What asks a model how sure it is, at ``least`` that (0 to 1).

    Raises ModelError where that was never fitted, ConfigError for another ``least``.
    """
    if not 0 <= least <= 1:
        raise ConfigError(f"minimum confidence must be from 0 to 1; got {least:g}")
    if trained.confidence is None:
        raise ModelError(
            "confidence must be asked of a model that has one; got one without: "
            "`transduce calibrate MODEL` fits it on the recipe's dev data"
        )
    return Details(confidence=trained.confidence, least=least)


def measure_confidence(
    trained: TrainedModel, evaluations: Sequence[tuple[str, Evaluation]]
) -> ConfidenceReport:
    """The confidences of outputs against how right they are, of all parts (by name) together."""
    if trained.confidence is None:
        raise ValueError("model must have the confidence that is measured")
    kind = trained.confidence.kind
    quality, sums, means, confidences = [], [], [], []
    sure: list[float] = []
    right: list[bool] = []
    for part, evaluation in evaluations:
        config = trained.config.for_part(part)
        outputs = evaluation.outputs
        texts = [output.text for output in outputs]
        quality.append(qualities(config, kind, evaluation.examples, texts))
        for example, output in zip(evaluation.examples, outputs, strict=True):
            confidences.append(output.confidence or 0.0)
            sums.append(output.log_probability)
            means.append(output.log_probability / max(1, len(output.token_scores)))
            sure += [word.confidence for word in output.word_confidence]
            right += right_words(config, example, output.text)[: len(output.word_confidence)]
    return report_confidence(
        kind, confidences, np.concatenate(quality), (sums, means), (sure, right)
    )
