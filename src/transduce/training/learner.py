"""One step of learning: forward, loss, backward, clipping, AdamW, averages."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from transduce.compress.emulated_rounding import EmulatedRounding
from transduce.config import TrainingConfig
from transduce.errors import TrainingError
from transduce.interfaces import BEGIN, END, PADDING, Batch, Source
from transduce.models.storage import named_weights, set_weights
from transduce.modules.chance import drawn_from
from transduce.training.allocation import is_shortage
from transduce.training.average import choose_average
from transduce.training.chunks.cut import cut
from transduce.training.chunks.ordered_sum import OrderedSum
from transduce.training.chunks.team import Team, torch_threads
from transduce.training.chunks.ways import Way, choose_ways
from transduce.training.distributed import Processes
from transduce.training.objectives.decoder_inputs import hide_inputs, mix_inputs
from transduce.training.objectives.weighted import Weighted, WeightedSum
from transduce.training.optimizers.chosen_optimizer import choose_optimizer
from transduce.training.precision import choose_precision
from transduce.training.record.restoring import fitting

__all__ = ["Learner", "Means"]


@dataclass(frozen=True, slots=True)
class Means:
    """Means over the steps since they were last asked for."""

    objective: float  # what is minimised, per real target token, in nats
    loss: float  # plain negative log-likelihood, per real target token, in nats
    gradient_norm: float  # before clipping
    objectives: dict[str, float]  # each by its name, as ``objective`` is counted

    @property
    def finite(self) -> bool:
        """Whether all of them are numbers."""
        return all(map(math.isfinite, (self.objective, self.loss, self.gradient_norm)))


class Learner:
    """A model with all that changes as it learns."""

    def __init__(
        self,
        model: nn.Module,
        objectives: Sequence[Weighted],
        config: TrainingConfig,
        processes: Processes,
    ) -> None:
        """``objectives`` are what is minimised, at least one; they run ``model`` as a stepper."""
        self.model = model
        self.precision = choose_precision(config, processes.device)
        self._config = config
        self._processes = processes
        self._names = [weighted.objective.name for weighted in objectives]
        both = WeightedSum(model, objectives, self._running)
        self._wrapped = processes.wrap(both)  # all processes now have the first one's weights
        self.average = choose_average(model, config)
        self.rounding = EmulatedRounding(named_weights(model).values(), config.weights)
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._ways = choose_ways(config, model, processes)
        self._team = Team()
        self._optimizer = choose_optimizer(config, model, self.precision)
        # The weighted sum, the plain loss, each objective; then the gradient's norm.
        count = 2 + len(objectives)
        self._sums = torch.zeros(count, dtype=torch.float64, device=processes.device)
        self._norms = torch.zeros((), dtype=torch.float64, device=processes.device)
        self._tokens = 0.0
        self._steps = 0

    def step(self, group: Sequence[Batch], tokens: float, rate: float, share: float) -> None:
        """Learn from one or several batches as from one.

        ``tokens`` are the real target tokens of all batches of all processes; the loss of every
        token weighs the same, wherever it stands. ``rate`` is the learning rate, ``share`` that of
        scheduled sampling. Raises TrainingError where memory is short.
        """
        way, threads = self._ways.next(), torch.get_num_threads()
        with torch_threads(threads if way is Way.TOGETHER else 1):
            self._optimizer.clear()
            with self.rounding.applied():
                if way is Way.CHUNKS:
                    self._learn_in_chunks(group, tokens, share, threads)
                else:
                    self._learn_whole(group, tokens, share)
            self._change_weights(rate, 1 if way is Way.ALONE else threads)
        self._ways.took(tokens)
        self._tokens += tokens
        self._steps += 1

    def close(self) -> None:
        """Dismiss the threads that worked here."""
        self._team.close()

    def _change_weights(self, rate: float, threads: int) -> None:
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = get_total_norm(gradients)
        if self._config.clip_norm is not None:
            clip_grads_with_norm_(self._parameters, self._config.clip_norm, norm)
        self._optimizer.step(rate, partial(self._team.run, threads=threads))
        self.average.after_step()
        self._norms += norm

    def means(self) -> Means | None:
        """Means since the last call, over all processes; None if there was no step."""
        if not self._steps:
            return None
        sums, norm = self._sums.tolist(), float(self._norms)  # only here the device is waited for
        objective, loss, *each = (total / self._tokens for total in self._processes.sum(sums))
        named = dict(zip(self._names, each, strict=True))
        means = Means(objective, loss, norm / self._steps, named)
        self._sums.zero_()
        self._norms.zero_()
        self._tokens, self._steps = 0.0, 0
        return means

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """All that a resume needs, by group. Every process must call it."""
        return {
            "weights": named_weights(self.model),
            "optimizer": self._optimizer.tensors(),
            "average": self.average.tensors(),
            "random": self._random(),
        }

    def restore(self, groups: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from what ``tensors`` gave. Raises ModelError where the model is another."""
        with torch.no_grad():
            set_weights(self.model, groups["weights"])
        self._optimizer.restore(groups["optimizer"])
        self.average.restore(groups["average"])
        rank, random = self._processes.rank, groups["random"]
        torch.set_rng_state(fitting(random, f"cpu.{rank}", torch.get_rng_state()))
        if self._processes.device.type == "cuda":
            device = self._processes.device
            like = torch.cuda.get_rng_state(device)
            torch.cuda.set_rng_state(fitting(random, f"cuda.{rank}", like), device)

    def _learn_whole(self, group: Sequence[Batch], tokens: float, share: float) -> None:
        for number, batch in enumerate(group):
            with _memory_explained(batch), self._synchronised(number == len(group) - 1):
                objective, figures = self._forward(batch, share)
                self._sums += figures
                # Between processes gradients are averaged; a mean of sums is wanted: ``world``.
                (objective * (self._processes.world / tokens)).backward()  # type: ignore[no-untyped-call]

    def _learn_in_chunks(
        self, group: Sequence[Batch], tokens: float, share: float, threads: int
    ) -> None:
        """Chunks side by side, the batches one after the other."""
        sums, number = OrderedSum(), itertools.count()

        def learn(chunk: Batch, place: int, seed: int) -> None:
            with drawn_from(torch.Generator().manual_seed(seed)):
                objective, figures = self._forward(chunk, share)
            wanted = torch.autograd.grad(objective / tokens, self._parameters, allow_unused=True)
            sums.add(place, [figures, *wanted])

        for batch in group:
            chunks = cut(batch, threads)
            seeds = torch.empty(len(chunks), dtype=torch.int64).random_().tolist()
            jobs = [
                partial(learn, chunk, next(number), seed)
                for chunk, seed in zip(chunks, seeds, strict=True)
            ]
            # An outer autocast, though it is off, keeps what is cast until all chunks are done.
            with _memory_explained(batch), torch.autocast("cpu", enabled=False):
                self._team.run(jobs, threads)
        figures, *gradients = sums.total
        if figures is not None:
            self._sums += figures
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient

    def _forward(self, batch: Batch, share: float) -> tuple[Tensor, Tensor]:
        """What is minimised, a sum over the batch with a gradient, and all figures without one."""
        device = self._processes.device
        batch = _never_empty(batch)
        if device.type == "cuda":
            batch = batch.pin_memory()
        batch = batch.to(device)
        with self._running():
            inputs = mix_inputs(self.model, batch.source, batch.target_input, share)
            inputs = hide_inputs(inputs, self._config.word_dropout)
        objective, figures = self._wrapped(batch, inputs)
        return objective, figures

    def _running(self) -> torch.autocast:
        """The context of all that the model computes in a step."""
        kind = self._processes.device.type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=self.precision == "bfloat16")

    def _synchronised(self, last: bool) -> contextlib.AbstractContextManager[None]:
        """Gradients are exchanged with the last batch of a step only."""
        if last or not isinstance(self._wrapped, DistributedDataParallel):
            return contextlib.nullcontext()
        quiet: contextlib.AbstractContextManager[None] = self._wrapped.no_sync()
        return quiet

    def _random(self) -> dict[str, Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self._processes.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self._processes.device)
        return {
            f"{kind}.{rank}": state
            for kind, own in states.items()
            for rank, state in enumerate(self._processes.gather(own))
        }


def _never_empty(batch: Batch) -> Batch:
    """A process without a share of the batch learns nothing from one sentence without targets.

    It has to make the step all the same: the others wait for its gradients.
    """
    if len(batch.source.values):
        return batch
    ones = torch.ones(1, dtype=torch.int64)
    return Batch(_one_of(batch.source), torch.tensor([[BEGIN, PADDING]]), ones - 1, ())


def _one_of(source: Source) -> Source:
    """The shortest source there is, of the kind of one that is empty."""
    values = source.values.new_full((1, 1, *source.values.shape[2:]), END)
    beside = None if source.beside is None else _one_of(source.beside)
    return Source(values, torch.ones(1, dtype=torch.int64), beside=beside)


@contextmanager
def _memory_explained(batch: Batch) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not is_shortage(error):
            raise
        sentences, source = batch.source.mask.shape
        raise TrainingError(
            f"a batch must fit into memory; got one of {sentences} sentences with sources of "
            f"{source} and targets of {batch.target_output.shape[1]} tokens (padded), which does "
            "not: lower training.batch_tokens (and raise training.accumulate to keep the step as "
            "large), or set data.max_source_length and data.max_target_length"
        ) from error
