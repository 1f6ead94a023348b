"""Transduce as the training benchmark sees it: the loop's own steps, settings as they come."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any

import torch

from benchmarks.train_protocol import Case, Feed, Pairs, Ready
from transduce.config import ModelConfig, TrainingConfig
from transduce.interfaces import BEGIN, Batch, Source
from transduce.models.build import build_model
from transduce.training.allocation import keep_freed_buffers
from transduce.training.distributed import join_processes
from transduce.training.learner import Learner
from transduce.training.objectives.choose import choose_objectives
from transduce.training.schedule import learning_rate


def main() -> None:
    """Train on request."""
    feed: Feed[Pairs] = Feed()
    case, variant = Case.read(sys.argv[1]), sys.argv[2]
    config = TrainingConfig(
        learning_rate=case.learning_rate,
        schedule="constant",
        warmup_steps=0,
        label_smoothing=case.label_smoothing,
    )
    keep_freed_buffers()
    torch.manual_seed(config.seed)
    model = build_model(_model(case, variant), *case.sizes).train()
    with join_processes(torch.device("cpu")) as processes:
        learner = Learner(model, choose_objectives(config, model), config, processes)
        parameters = sum(p.numel() for p in model.parameters())
        versions = {name: version(name) for name in ("torch", "transduce")}
        feed.open(case.batches, Ready(parameters, versions, learner.precision))
        for step, (sources, targets) in enumerate(feed):
            rows = Source.of_tokens([[BEGIN, *target] for target in targets])
            numbers = tuple(range(len(targets)))
            batch = Batch(Source.of_tokens(sources), rows.values, rows.lengths - 1, numbers)
            tokens = float(batch.target_lengths.sum())
            learner.step([batch], tokens, learning_rate(config, step, 0.0), 0.0)
            if means := learner.means():
                feed.losses.append(means.objective)


def _model(case: Case, variant: str) -> ModelConfig:
    if case.kind == "transformer":
        stack: dict[str, Any] = {
            "kind": "transformer",
            "layers": case.layers,
            "width": case.width,
            "feedforward": case.feedforward,
            "heads": case.heads,
            "dropout": case.dropout,
        }
        return ModelConfig.model_validate({"encoder": stack, "decoder": stack, "tie": "all"})
    stack = {"kind": "lstm", "layers": case.layers, "dropout": case.dropout}
    decoder = {**stack, "width": case.width}
    if variant == "additive, input feeding":
        decoder |= {"attention": "additive", "input_feeding": True}
    return ModelConfig.model_validate(
        {
            "encoder": {**stack, "width": 2 * case.width, "bidirectional": True},
            "decoder": decoder,
            "embedding_width": case.width,
        }
    )


if __name__ == "__main__":
    main()
