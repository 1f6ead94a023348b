"""Several processes on one run: torchrun, gloo on CPUs, NCCL on GPUs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from transduce.errors import ConfigError

__all__ = ["Processes", "join_processes", "launched_processes"]

# The others wait while the first one scores the dev set.
_PATIENCE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among all that train one model. Alone, every exchange is the identity."""

    rank: int
    world: int
    device: torch.device

    @property
    def main(self) -> bool:
        """Whether this is the process that scores and writes."""
        return self.rank == 0

    def sum(self, values: Sequence[float]) -> list[float]:
        """Sums over all processes, in float64."""
        if self.world == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor)
        totals: list[float] = tensor.tolist()
        return totals

    def from_main(self, values: Sequence[float]) -> list[float]:
        """What the first process has; the others' values only say how many there are."""
        return self.sum([value if self.main else 0.0 for value in values])

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """The same-shaped tensor of every process, by rank; on the CPU."""
        if self.world == 1:
            return [tensor]
        mine = tensor.to(self.device)
        everyone = [torch.empty_like(mine) for _ in range(self.world)]
        distributed.all_gather(everyone, mine)
        return [other.cpu() for other in everyone]

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            distributed.barrier()

    def wrap(self, model: nn.Module) -> nn.Module:
        """A module whose backward passes average the gradients over the processes."""
        if self.world == 1:
            return model
        return DistributedDataParallel(model)


def launched_processes() -> tuple[int, int]:
    """Rank and number of the processes that torchrun started; (0, 1) without it.

    Raises ConfigError where its environment variables make no sense.
    """
    try:
        rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    except ValueError:
        rank, world = -1, 0
    if not 0 <= rank < world:
        raise ConfigError(
            "RANK and WORLD_SIZE must be numbers set by torchrun; got "
            f"{os.environ.get('RANK')!r} and {os.environ.get('WORLD_SIZE')!r}"
        )
    return rank, world


@contextmanager
def join_processes(device: torch.device) -> Iterator[Processes]:
    """Meet the processes that torchrun started; alone where it started none.

    A process group that exists already is used and left as it is.
    """
    if distributed.is_available() and distributed.is_initialized():
        yield Processes(distributed.get_rank(), distributed.get_world_size(), device)
        return
    rank, world = launched_processes()
    if world == 1:
        yield Processes(0, 1, device)
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield Processes(rank, world, device)
    finally:
        # The end of the group waits, holding the interpreter's lock, for threads that may need
        # the lock to let go of their last tensors: give them a moment to be done.
        time.sleep(0.1)
        distributed.destroy_process_group()
