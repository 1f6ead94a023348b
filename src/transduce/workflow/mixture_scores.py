"""Measuring a model of a mixture: each part by itself, and the mean over parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from transduce.config import SearchConfig
from transduce.evaluation.by_part import joined, means, table_by_part
from transduce.reading.pair_files import Example
from transduce.reading.problems import Problems
from transduce.workflow.evaluate import DevScorer, Evaluation, evaluate
from transduce.workflow.predicting.details import PLAIN, Details
from transduce.workflow.trained import TrainedModel

__all__ = ["MixtureEvaluation", "MixtureScorer", "divided", "evaluate_parts"]


@dataclass(frozen=True)
class MixtureEvaluation:
    """What a model reached on the test set of each part, by the part's name."""

    parts: Mapping[str, Evaluation]

    @property
    def sentences_per_second(self) -> float:
        """Of the search alone, over all parts."""
        seconds = sum(part.report.seconds for part in self.parts.values())
        sentences = sum(part.report.counts["sentences"] for part in self.parts.values())
        return sentences / max(seconds, 1e-9)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: ``metrics`` are means over the parts."""
        return {
            "metrics": means({name: part.report.metrics for name, part in self.parts.items()}),
            "parts": {name: part.report.to_dict() for name, part in self.parts.items()},
        }

    def table(self) -> str:
        """For the terminal: scores by part, signatures, then the worst cases of each part."""
        scores = {name: part.report.metrics for name, part in self.parts.items()}
        counts = {name: part.report.counts["sentences"] for name, part in self.parts.items()}
        signatures = {
            text: f" {name:9}{text}\n"
            for part in self.parts.values()
            for name, text in part.report.signatures.items()
        }
        pieces = [table_by_part("scores by part", scores, counts), "".join(signatures.values())]
        for name, part in self.parts.items():
            if part.report.worst:
                pieces.append(f"{name}: {part.report.worst_list()}")
        return "\n".join(piece for piece in pieces if piece)


def evaluate_parts(
    trained: TrainedModel,
    examples: Mapping[str, Sequence[Example]],
    options: SearchConfig | None = None,
    *,
    worst: int = 0,
    problems: Problems | None = None,
    details: Details = PLAIN,
) -> MixtureEvaluation:
    """Search and score the examples of each part, as ``evaluate`` does.

    Raises DataError for a part without any.
    """
    return MixtureEvaluation(
        {
            name: evaluate(
                trained, own, options, worst=worst, part=name, problems=problems, details=details
            )
            for name, own in examples.items()
        }
    )


class MixtureScorer:
    """Scores a model in training on the dev data of each part.

    ``wer`` is the mean over parts, by which the best model is chosen; ``wer/ice`` is one part's.
    """

    def __init__(self, trained: TrainedModel, examples: Mapping[str, Sequence[Example]]) -> None:
        """``training.dev_sentences`` are divided as evenly as the parts' dev data allow."""
        decoded = divided(
            trained.config.training.dev_sentences, [len(own) for own in examples.values()]
        )
        self.scorers = {
            name: DevScorer(trained, own, part=name, sentences=count)
            for (name, own), count in zip(examples.items(), decoded, strict=True)
        }

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Metrics as plain numbers, ``loss`` among them."""
        return joined({name: scorer(model) for name, scorer in self.scorers.items()})


def divided(total: int, sizes: Sequence[int]) -> list[int]:
    """How many of each: the small ones whole, what they leave evenly to the others, at least 1."""
    counts = [0] * len(sizes)
    left = total
    for done, index in enumerate(sorted(range(len(sizes)), key=lambda n: sizes[n])):
        counts[index] = max(1, min(sizes[index], left // (len(sizes) - done)))
        left -= counts[index]
    return counts
