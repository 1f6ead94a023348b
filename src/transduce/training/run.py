"""What a training run does, and its bookkeeping; :func:`transduce.training.loop.train` is the
order in which it is done.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from transduce.batches.batching import prefetch
from transduce.config import TrainingConfig
from transduce.errors import CheckpointError, ModelError, TrainingError
from transduce.files import changing, locked
from transduce.interfaces import Batch
from transduce.models.lora import merged_weights
from transduce.models.storage import named_weights, write_weights
from transduce.training.average import swapped
from transduce.training.distributed import Processes
from transduce.training.inputs import BatchStream, Score
from transduce.training.interrupt import StopRequest
from transduce.training.learner import Learner
from transduce.training.objectives.weighted import Weighted
from transduce.training.record.checkpoint import (
    MODEL,
    Checkpoint,
    newest_checkpoint,
    publish_best,
    require_room,
    write_checkpoint,
)
from transduce.training.record.identity import RunIdentity
from transduce.training.record.log import RunLog, tensorboard_writer
from transduce.training.record.plot import plot_run
from transduce.training.record.position import Position, StopReason, TrainingRecord
from transduce.training.record.progress import Progress
from transduce.training.record.reporter import Reporter, refuse_infinite
from transduce.training.record.restoring import restore_progress
from transduce.training.schedule import Limits, learning_rate, sampling_share
from transduce.training.selection import Selection

__all__ = ["Run"]

_LOOK_EVERY = 10  # steps between two looks at the loss: each waits for the device
_SCORING_SHARE = 0.1  # of the time, where minutes are the limit and the config says nothing
_ODD = (AttributeError, KeyError, TypeError, ValueError)  # what a state of another kind gives
_GROUPS = ("weights", "optimizer", "average", "random")


class Run:
    """What a run does, and its bookkeeping; ``train`` is the order in which it is done."""

    def __init__(
        self,
        model: nn.Module,
        objectives: Sequence[Weighted],
        batches: BatchStream,
        config: TrainingConfig,
        folder: Path,
        score: Score,
        limits: Limits,
        processes: Processes,
        display: Progress,
    ) -> None:
        self.model = model
        self.batches = batches
        self.config = config
        self.folder = folder
        self.training = folder / "training"
        self.limits = limits
        self.processes = processes
        self.learner = Learner(model, objectives, config, processes)
        self.selection = Selection(config.metric, config.patience)
        self.position = Position()
        self.reporter = Reporter(RunLog(self.training / "log.jsonl"), display, config.metric)
        self._score = score
        self._lock = ExitStack()  # on the directory, where nobody who called holds it
        self._identity = RunIdentity({}, "", processes.world)
        self._saved_step: int | None = None
        self._minutes_before = 0.0
        self._began = self._mark = time.monotonic()
        self._step_minutes = 0.0  # what a step takes, in the first process
        self._rate = 0.0

    # ------------------------------------------------------------ begin

    def begin(self, resume: bool, fingerprint: str) -> None:
        """Start afresh or from the newest checkpoint; find out now whether the disk will do."""
        self._identity = RunIdentity.of(
            self.config, self.learner.precision, fingerprint, self.processes.world
        )
        checkpoint = newest_checkpoint(self.training)
        begun = self.training.is_dir()  # perhaps killed before its first checkpoint
        if resume and checkpoint is None and not begun:
            raise CheckpointError(f"nothing to resume in {self.folder}; train without resuming")
        if not resume and checkpoint is not None:
            raise CheckpointError(f"{self.folder} must not hold a run; got {checkpoint.path}")
        if not self.batches.count(0):
            raise TrainingError("training data must hold at least one batch; got none")
        self.processes.wait()  # all have seen the folder as it was
        if self.processes.main:
            require_room(self.training, self._needed_bytes())
            self._lock.enter_context(locked(self.folder))
        torch.manual_seed(self.config.seed + self.processes.rank)
        if checkpoint is not None:
            self._restore(checkpoint)
        if self.processes.main:
            self._open_log(resumed=checkpoint is not None)
        if checkpoint is None:
            self.save()
        self.model.train()
        self._minutes_before = self.position.minutes
        self._began = self._mark = time.monotonic()

    def _needed_bytes(self) -> int:
        """Two checkpoints and one being written: weights, two moments, averages, the best."""
        averages = {"none": 0, "ema": 1, "last": self.config.average_last}[self.config.average]
        weights = named_weights(self.model).values()
        return 3 * (4 + averages) * sum(w.numel() * w.element_size() for w in weights)

    def _restore(self, checkpoint: Checkpoint) -> None:
        state = checkpoint.state()
        try:
            self._identity.refuse_other(state, checkpoint.path)
            position = self.position = restore_progress(state, self.selection)
            if position.batch > (count := self.batches.count(position.epoch)):
                raise ValueError(f"batch must be at most {count}; got {position.batch}")
        except _ODD as error:
            raise checkpoint.wrong_state(error) from None
        try:
            self.learner.restore({group: checkpoint.tensors(group) for group in _GROUPS})
        except ModelError as error:
            raise CheckpointError(
                f"model must be that of {checkpoint.path} to resume; {error}"
            ) from None
        self._saved_step = position.step
        self._step_minutes = position.seconds_in_steps / 60 / max(1, position.step)
        # With a later limit than before, scorings start to be due again from here on.
        position.interval = min(position.interval, self.limits.interval(self._progress()))
        if self.processes.main:
            publish_best(checkpoint, self.folder / MODEL)
            self.reporter.display.say(f"resumed from {checkpoint.path}")

    def _open_log(self, resumed: bool) -> None:
        log = self.reporter.log
        if self.config.tensorboard:
            scalars = tensorboard_writer(self.training / "tensorboard", self.position.step)
            log = self.reporter.log = RunLog(log.path, scalars)
        self.reporter.begin(self.position, asdict(self._identity), resumed)

    # ------------------------------------------------------------ steps

    def groups(self) -> Iterator[list[Batch]]:
        """The batches of each step, epoch after epoch, from the position on."""
        while self.limits.epochs is None or self.position.epoch < self.limits.epochs:
            stream = self.batches.iterate(
                self.position.epoch,
                start=self.position.batch,
                rank=self.processes.rank,
                world=self.processes.world,
            )
            if self.processes.device.type == "cuda":  # a CPU has no time that nobody uses
                stream = prefetch(stream)
            while group := list(itertools.islice(stream, self.config.accumulate)):
                yield group
            self.position.epoch += 1
            self.position.batch = 0

    def agree(self, group: list[Batch], request: StopRequest) -> tuple[float, bool]:
        """Real target tokens of the step and whether to stop, the same for all processes."""
        position, main = self.position, self.processes.main
        tokens = float(sum(int(batch.target_lengths.sum()) for batch in group))
        minutes = self._minutes() if main else 0.0
        step_minutes = position.seconds_in_steps / 60 / max(1, position.step) if main else 0.0
        tokens, position.minutes, self._step_minutes, asked = self.processes.sum(
            [tokens, minutes, step_minutes, float(request.made)]
        )
        return tokens, asked > 0

    def stop_reason(self, interrupted: bool) -> StopReason | None:
        """Why the run ends before another step; None: it goes on."""
        if interrupted:
            return "interrupted"
        if self.selection.exhausted:
            return "patience"
        return self.limits.reached(
            self.position.step, self._epochs(), self.position.minutes, self._reserve()
        )

    def learn(self, group: list[Batch], tokens: float) -> None:
        """One step, and a look at the loss now and then."""
        position = self.position
        progress = self._progress()
        self._rate = learning_rate(self.config, position.step, progress)
        self.learner.step(group, tokens, self._rate, sampling_share(self.config, progress))
        position.step += 1
        position.batch += len(group)
        position.target_tokens += round(tokens)
        now = time.monotonic()
        position.seconds_in_steps += now - self._mark
        self._mark = now
        if position.step % _LOOK_EVERY == 0 or position.step == 1:
            self._look()

    def _look(self) -> None:
        """Log the means since the last look; a loss that is no number ends the run."""
        position = self.position
        means = self.learner.means()
        if means is None:
            return
        refuse_infinite(means, position.step, self._rate)
        if self.processes.main:
            self.reporter.steps(
                position,
                means,
                self._rate,
                epochs=self._epochs(),
                minutes=self._minutes(),
                progress=self._progress(),
            )

    # ------------------------------------------------------------ scoring and saving

    def scoring_due(self) -> bool:
        """Whether the dev set is to be scored after this step."""
        position = self.position
        if self.config.evaluate_every is not None:
            return position.step % self.config.evaluate_every == 0
        if self.limits.interval(self._progress()) <= position.interval:
            return False
        if self.limits.minutes is None:
            return True
        pause = position.minutes - position.scored_minutes
        return pause * _SCORING_SHARE >= position.scoring_minutes

    def saving_due(self) -> bool:
        """Whether a checkpoint without a scoring is to be written after this step."""
        every = self.config.checkpoint_every
        return every is not None and self.position.step % every == 0

    def score(self) -> None:
        """Score the (averaged) weights on dev, keep them if they are the best, and save."""
        self._look()
        position, began = self.position, time.monotonic()
        self.learner.average.before_scoring()
        best_weights: dict[str, Tensor] | None = None
        if self.processes.main:
            best_weights = self._score_here()
        position.interval = self.limits.interval(self._progress())
        position.scored_step = position.step
        # The others follow the first process; each then stops at the same step.
        (misses,) = self.processes.from_main([float(self.selection.misses)])
        self.selection.misses = round(misses)
        self._time_scoring(began)
        self.save(best_weights)
        self._time_scoring(began)  # with what the checkpoint took

    def _time_scoring(self, began: float) -> None:
        spent = (time.monotonic() - began) / 60
        minutes, spent = self.processes.from_main([self._minutes(), spent])
        self.position.scored_minutes, self.position.scoring_minutes = minutes, spent

    def _score_here(self) -> dict[str, Tensor] | None:
        device = self.processes.device
        best_weights = None
        self.model.eval()
        # Scoring may draw random numbers; training must not notice.
        random = torch.random.fork_rng([device] if device.type == "cuda" else [])
        with swapped(self.model, self.learner.average), random, torch.no_grad():
            with self.learner.rounding.applied():
                metrics = self._score(self.model)
            best = self.selection.offer(self.position.step, metrics)
            if best:
                weights = merged_weights(self.model)
                best_weights = {name: tensor.clone() for name, tensor in weights.items()}
        self.model.train()
        self.position.history.append({"step": self.position.step, **metrics})
        self.reporter.scored(self.position.step, metrics, best)
        return best_weights

    def save(self, best_weights: dict[str, Tensor] | None = None) -> None:
        """Write a checkpoint, then make its best weights the model's file."""
        self._look()  # never save weights whose loss is no number
        groups = self.learner.tensors()
        self._saved_step = self.position.step
        if self.processes.main:
            if self.position.step:
                self.position.minutes = self._minutes()
            selection = self.selection
            state = {
                **asdict(self._identity),
                "position": asdict(self.position),
                "selection": {
                    "metrics": selection.metrics,
                    "step": selection.step,
                    "misses": selection.misses,
                },
            }
            self.reporter.log.sync()  # what it tells of is in the log
            checkpoint = write_checkpoint(
                self.training, self.position.step, state, groups, best_weights
            )
            if best_weights is not None:
                publish_best(checkpoint, self.folder / MODEL)
        self._mark = time.monotonic()

    # ------------------------------------------------------------ end

    def finish(self, stopped: StopReason) -> TrainingRecord:
        """The last scoring or, after an interruption, only a checkpoint; then record and plot."""
        position = self.position
        if stopped == "interrupted":
            if self._saved_step != position.step:
                self.save()
        elif position.scored_step != position.step:
            self.score()
        minutes = self._minutes()
        record = TrainingRecord(
            steps=position.step,
            epochs=round(self._epochs(), 4),
            minutes=minutes,
            stopped=stopped,
            best=self.selection.metrics,
            best_step=self.selection.step,
            history=position.history,
            target_tokens=position.target_tokens,
            tokens_per_second=position.target_tokens / max(position.seconds_in_steps, 1e-9),
            precision=self.learner.precision,
            device=str(self.processes.device),
            threads=torch.get_num_threads(),
            processes=self.processes.world,
        )
        if self.processes.main:
            self._publish_unscored()
            log = self.reporter.log
            log.write("end", position.step, {"stopped": stopped, "minutes": minutes})
            try:
                plot_run(log.path, self.training / "plot.png", self.config.metric)
            except OSError as error:  # the model is whole; a picture is not worth losing its report
                self.reporter.display.say(f"no plot: {error.strerror}")
        return record

    def _publish_unscored(self) -> None:
        """A run that ended before any dev scoring still leaves a model, that of its last step."""
        path = self.folder / MODEL
        if self.selection.step is not None:
            return
        try:
            with swapped(self.model, self.learner.average), changing(self.folder) as change:
                write_weights(merged_weights(self.model), change.path(MODEL))
        except OSError as error:
            raise CheckpointError(f"{path}: weights cannot be written ({error.strerror})") from None

    def close(self) -> None:
        """Let go of the log, the directory and threads."""
        self.learner.close()
        with self._lock:
            self.reporter.log.close()

    # ------------------------------------------------------------ where the run is

    def _minutes(self) -> float:
        return self._minutes_before + (time.monotonic() - self._began) / 60

    def _epochs(self) -> float:
        return self.position.epoch + self.position.batch / self.batches.count(self.position.epoch)

    def _reserve(self) -> float:
        """Minutes kept back for a long step and the last dev scoring, from what they took."""
        return 1.2 * self.position.scoring_minutes + 2 * self._step_minutes

    def _progress(self) -> float:
        return self.limits.progress(
            self.position.step, self._epochs(), self.position.minutes, self._reserve()
        )
