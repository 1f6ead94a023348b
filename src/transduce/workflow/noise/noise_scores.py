"""How robust a model is: its scores on noisy sources beside those on plain ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transduce.errors import ConfigError
from transduce.evaluation.tables import render_table, score
from transduce.reading.problems import Problems
from transduce.workflow.evaluate import Evaluation, evaluate
from transduce.workflow.noise.noisy_sources import Noise, noisy
from transduce.workflow.trained import TrainedModel

__all__ = ["NoiseScores", "measure_noise"]


@dataclass(frozen=True, slots=True)
class NoiseScores:
    """Scores with each noise, and how many of the sources it changed; ``plain`` without any."""

    plain: Mapping[str, float]
    noises: Sequence[Noise]
    changed: Sequence[int]
    scores: Sequence[Mapping[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        rows = zip(self.noises, self.changed, self.scores, strict=True)
        return {
            noise.kind: {"share": noise.share, "changed": changed, "metrics": dict(scores)}
            for noise, changed, scores in rows
        }

    def table(self) -> str:
        """For the terminal: a column for each noise."""
        titles = ["metric", "plain", *(f"{noise.kind} {noise.share:g}" for noise in self.noises)]
        rows = [
            [name, score(name, plain), *(score(name, own[name]) for own in self.scores)]
            for name, plain in self.plain.items()
        ]
        rows.append(["changed sources", "0", *(f"{count:,}" for count in self.changed)])
        return render_table("scores with noise in a share of the words", titles, rows)


def measure_noise(
    trained: TrainedModel,
    evaluation: Evaluation,
    noises: Sequence[Noise],
    *,
    part: str | None = None,
) -> NoiseScores:
    """Score the examples of an evaluation again with each noise in their sources.

    Raises ConfigError where sources are no texts, or a kind is asked for twice.
    """
    kinds = [noise.kind for noise in noises]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise ConfigError(f"--noise must be given once a kind; got {kind} twice")
    if trained.reader.in_files:
        kind = trained.config.data.input.kind
        raise ConfigError(f"--noise must be used with a model that reads texts; got {kind}")
    changed, scores = [], []
    for noise in noises:
        examples = noisy(evaluation.examples, noise)
        pairs = zip(examples, evaluation.examples, strict=True)
        changed.append(sum(new.source != old.source for new, old in pairs))
        found = evaluate(trained, examples, part=part, problems=Problems("stop"))
        scores.append(found.report.metrics)
    return NoiseScores(evaluation.report.metrics, noises, changed, scores)
