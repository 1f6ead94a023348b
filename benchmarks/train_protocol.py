"""What the training benchmark and its workers say to each other: JSON, one object a line.

Standard library only: a worker runs in its peer's environment, which knows nothing of ours.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from benchmarks.machine import peak_memory

__all__ = ["BEGIN", "END", "FIRST", "Case", "Feed", "Pairs", "Ready", "Reply", "Request"]

BEGIN, END = 2, 3  # in all systems here; what PADDING is, each has its own idea
FIRST = 4  # the first symbol that is none of the special ones

Pairs = tuple[list[list[int]], list[list[int]]]  # sources and targets, symbols from FIRST on
T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """A model's sizes and the batches that it learns from.

    ``width`` is that of each layer (of a recurrent encoder in each direction) and of the
    embeddings; ``sizes`` are the vocabularies of source and target, four special
    symbols each; ``steps`` says how many steps are timed together.
    """

    name: str
    kind: Literal["transformer", "recurrent"]
    layers: int
    width: int
    feedforward: int
    heads: int
    dropout: float
    label_smoothing: float
    learning_rate: float
    sizes: tuple[int, int]
    steps: int
    batches: list[Pairs]

    @property
    def unit(self) -> str:
        """What is counted."""
        return "target tokens" if self.kind == "transformer" else "words"

    def amount(self, first: int, steps: int) -> int:
        """Target tokens (END counted, padding and BEGIN not) or words of some steps."""
        chosen = [self.batches[n % len(self.batches)][1] for n in range(first, first + steps)]
        if self.kind == "recurrent":
            return sum(map(len, chosen))
        return sum(len(row) + 1 for targets in chosen for row in targets)

    def write(self, path: Path) -> None:
        """For the workers."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> Case:
        """What was written."""
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        values["batches"] = [(sources, targets) for sources, targets in values["batches"]]
        return cls(**values)


@dataclass(frozen=True)
class Ready:
    """A worker's first line: the parameters it trains, once each, and its versions."""

    parameters: int
    versions: dict[str, str]
    precision: str = "float32"


@dataclass(frozen=True)
class Request:
    """Make so many steps, beginning with this batch."""

    first: int
    steps: int


@dataclass(frozen=True)
class Reply:
    """Seconds of all these steps, the mean of their losses, the peak memory in MB so far."""

    seconds: float
    loss: float
    memory: float


class Feed(Generic[T]):
    """The training data of a worker: batches, as many at a time as are asked for.

    To the system's own training loop this is a long line of batches. The clock starts when
    the first batch of a request is taken and stops when the loop comes back for one more.
    The loop's owner appends to ``losses``. Made first of all: what libraries print
    goes to the standard error from then on.
    """

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.batches: Sequence[T] = ()
        self._channel = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def open(self, batches: Sequence[T], ready: Ready) -> None:
        """Say that the model stands."""
        self.batches = batches
        self._say(ready)

    def __len__(self) -> int:
        return 10**9  # a loader with a length is asked for no batch ahead of time

    def __iter__(self) -> Iterator[T]:
        for line in sys.stdin:
            request = Request(**json.loads(line))
            self.losses.clear()
            began = time.perf_counter()
            for number in range(request.first, request.first + request.steps):
                yield self.batches[number % len(self.batches)]
            seconds = time.perf_counter() - began
            self._say(Reply(seconds, sum(self.losses) / len(self.losses), peak_memory()))

    def _say(self, message: Ready | Reply) -> None:
        print(json.dumps(asdict(message)), file=self._channel, flush=True)
