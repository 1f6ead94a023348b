"""The training loop."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import nn

from transduce.config import TrainingConfig
from transduce.training.allocation import keep_freed_buffers
from transduce.training.distributed import join_processes
from transduce.training.inputs import BatchStream, Score
from transduce.training.interrupt import stop_on_signals
from transduce.training.objectives.weighted import Weighted
from transduce.training.record.position import StopReason, TrainingRecord
from transduce.training.record.progress import Progress, Silence
from transduce.training.run import Run
from transduce.training.schedule import Limits

__all__ = ["train"]


def train(
    model: nn.Module,
    objectives: Sequence[Weighted],
    batches: BatchStream,
    config: TrainingConfig,
    folder: Path,
    score: Score,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    fingerprint: str = "",
) -> TrainingRecord:
    """Train a model until the first limit is reached.

    The best weights by ``config.metric`` on dev (averaged ones if the config averages) are in
    ``folder/model.safetensors``; checkpoints, ``log.jsonl`` and ``plot.png`` in
    ``folder/training``. The model itself is left with the weights of its last step.

    Minutes count steps, dev scorings and checkpoints, not what comes before the first step; the
    steps end early enough for one more dev scoring within ``max_minutes``. SIGINT and SIGTERM end
    the run after the step under way, with a checkpoint.

    Args:
        model: on its device; a stepper, whose ``model(source, target_input)`` gives logits
            ``[B, T, V]``.
        objectives: what is minimised, weighted; at least one.
        batches: the training data.
        config: the section ``training``.
        folder: the model directory.
        score: dev metrics of the model; called in eval mode, in the first process alone.
        resume: go on from the last checkpoint in ``folder``.
        progress: what a person sees; None shows nothing.
        fingerprint: names data and model; a checkpoint of another one is refused.

    Raises:
        ConfigError: no limit is set, or an option does not fit the machine.
        TrainingError: the loss is not finite, memory is short, or dev cannot be scored.
        CheckpointError: a checkpoint cannot be written, or none fits to resume from.
    """
    limits = Limits.of(config)
    keep_freed_buffers()
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    with ExitStack() as stack:
        processes = stack.enter_context(join_processes(next(model.parameters()).device))
        request = stack.enter_context(stop_on_signals())
        shown = progress if progress is not None and processes.main else Silence()
        display = stack.enter_context(shown)
        run = Run(
            model, objectives, batches, config, Path(folder), score, limits, processes, display
        )
        stack.callback(run.close)
        run.begin(resume, fingerprint)

        stopped: StopReason | None = None
        for group in run.groups():
            tokens, interrupted = run.agree(group, request)
            if stopped := run.stop_reason(interrupted):
                break
            run.learn(group, tokens)
            if run.scoring_due():
                run.score()
            elif run.saving_due():
                run.save()
        return run.finish(stopped or "max_epochs")
