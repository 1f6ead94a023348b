"""What outputs cost in minimum-risk training: a metric of the recipe."""

from __future__ import annotations

from transduce.errors import ConfigError
from transduce.metrics.known import METRICS
from transduce.tokenization.tokenizer import Tokenizer
from transduce.training.risk.metric_cost import MetricCost
from transduce.workflow.trained import TrainedModel

__all__ = ["output_cost"]


def output_cost(trained: TrainedModel) -> MetricCost | None:
    """None where the recipe asks for no risk. Raises ConfigError for a metric without texts."""
    config, training = trained.config, trained.config.training
    if not training.risk_weight:
        return None
    key = "risk_metric" if training.risk_metric is not None else "metric"
    name = training.risk_metric or training.metric
    if name not in METRICS or METRICS[name].of_texts is None:
        known = ", ".join(name for name, metric in METRICS.items() if metric.of_texts)
        raise ConfigError(
            f"training.{key} must be a metric of texts with training.risk_weight ({known}); "
            f"got {name}"
        )
    tokenizer = trained.target_tokenizer
    if not isinstance(tokenizer, Tokenizer):
        raise ConfigError(
            "training.risk_weight must be 0 where parts have tokenizers of their own; "
            f"got {training.risk_weight:g}"
        )
    return MetricCost(
        name,
        tokenizer.decode,
        bleu_tokenizer=config.evaluation.bleu_tokenizer,
        symbols=config.targets == "symbols",
    )
