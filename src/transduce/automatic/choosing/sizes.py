"""How large a model the minutes permit: what a size costs, and the largest that gets far enough."""

from __future__ import annotations

from dataclasses import dataclass

from transduce.automatic.choosing.machine_speed import Machine

__all__ = ["Demand", "Size", "Work", "choose_size"]

_EFFICIENCY = 0.5  # of the speed of large products
_STEP_SECONDS = 0.012  # of a step, however small
_FILLED = 0.9  # share of a batch that is no padding
_STARTED = 0.9  # share of the minutes that are steps; the rest is dev scoring
_NARROW, _WIDTH_OF_TOKENS = 96, 2.4  # what is wide for little data
_FORWARD_AND_BACK = 6  # floating-point operations for each multiplication of a model


@dataclass(frozen=True)
class Demand:
    """What is read and written: tokens of a source and of a target, pairs, target symbols."""

    pairs: int
    source: float
    target: float
    symbols: int


@dataclass(frozen=True)
class Size:
    """A model's size. ``layers`` are those of the encoder; a recurrent decoder has one."""

    family: str  # lstm or transformer
    width: int
    layers: int = 1

    def operations(self, demand: Demand) -> float:
        """Multiplications for one pair, in one direction."""
        w, s, t = self.width, demand.source, demand.target
        output = t * w * demand.symbols
        if self.family == "transformer":
            encoder = self.layers * s * (12 * w * w + 2 * s * w)
            decoder = self.layers * t * (14 * w * w + 2 * (s + t) * w) + self.layers * 2 * s * w * w
            return encoder + decoder + output
        encoder = self.layers * s * 4 * w * (w + w / 2)
        decoder = t * (8 * w * w + 3 * w * w + 2 * s * w)
        return encoder + decoder + output


@dataclass(frozen=True)
class Work:
    """What a size gets done in the time."""

    size: Size
    epochs: float
    batch_tokens: int
    steps: float


# From the smallest on, each with the epochs that it wants at least: a larger model is worth it only
# where there is time to read the data more often.
_LADDERS = {
    "lstm": (
        (Size("lstm", 64), 0.0),
        (Size("lstm", 96), 3.0),
        (Size("lstm", 128), 3.5),
        (Size("lstm", 192), 4.0),
        (Size("lstm", 256), 6.0),
        (Size("lstm", 256, 2), 10.0),
        (Size("lstm", 384, 2), 25.0),
        (Size("lstm", 512, 2), 40.0),
    ),
    "transformer": (
        (Size("transformer", 128, 2), 0.0),
        (Size("transformer", 192, 3), 8.0),
        (Size("transformer", 256, 3), 12.0),
        (Size("transformer", 256, 4), 20.0),
        (Size("transformer", 512, 6), 40.0),
    ),
}
_STEPS = 250.0  # that a size wants at least
_BATCHES = (256, 512, 1024, 2048, 4096)
_STEPS_WANTED = 1200  # of a run; batches are smaller where there is time for fewer
_BATCHES_AN_EPOCH = 40


def choose_size(family: str, demand: Demand, minutes: float, machine: Machine) -> Work:
    """The largest size that reads the data often enough in the time; else the smallest."""
    ladder = _LADDERS[family]
    smallest = _work(ladder[0][0], demand, minutes, machine)
    # Little data is learnt by heart by a large model: width squared goes with the tokens.
    widest = max(
        _NARROW, _WIDTH_OF_TOKENS * (demand.pairs * (demand.source + demand.target)) ** 0.5
    )
    works = [
        (_work(size, demand, minutes, machine), epochs)
        for size, epochs in ladder[1:]
        if size.width <= widest
    ]
    large = [w for w, epochs in works if w.epochs >= epochs and w.steps >= _STEPS]
    return large[-1] if large else smallest


def _work(size: Size, demand: Demand, minutes: float, machine: Machine) -> Work:
    """With the largest batch that leaves enough steps, in the time and in an epoch."""
    seconds = 60 * minutes * _STARTED
    tokens_an_epoch = demand.pairs * demand.target
    best: Work | None = None
    for batch in reversed(_BATCHES):
        pairs = batch * _FILLED / demand.target  # of a step
        operations = _FORWARD_AND_BACK * size.operations(demand) * pairs
        steps = seconds / (_STEP_SECONDS + operations / (machine.speed * 1e9 * _EFFICIENCY))
        best = Work(size, steps * pairs / max(1, demand.pairs), batch, steps)
        if steps >= _STEPS_WANTED and batch * _BATCHES_AN_EPOCH <= tokens_an_epoch:
            break
    return best or Work(size, 0.0, _BATCHES[0], 0.0)
