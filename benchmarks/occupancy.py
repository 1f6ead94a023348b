"""What continuous batching could give: how full batches stay as their sentences finish.

    python -m benchmarks.occupancy runs/en-de

Decodes the model's test set in batches of so many sentences, packed by length as always, one step
at a time, and notes rows and seconds of every step. If a new sentence took the place of each
finished one, every step would cost what the fullest ones cost: prints how much of the steps' time
that would save at the most, next to the average share of rows still at work.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks.machine import describe_machine
from transduce.engine import fast_stepper
from transduce.engine.stepper import EngineState, EngineStepper
from transduce.reading.problems import Problems
from transduce.search import decode_all
from transduce.workflow.corpora.corpora import examples_from_files
from transduce.workflow.trained import TrainedModel


class Watched:
    """A stepper that notes rows and seconds of each step."""

    def __init__(self, stepper: EngineStepper) -> None:
        self._stepper = stepper
        self.steps: list[tuple[int, float]] = []

    def start(self, *arguments: Any, **options: Any) -> EngineState:
        """As the stepper."""
        return self._stepper.start(*arguments, **options)

    def step(self, *arguments: Any) -> tuple[Tensor, EngineState]:
        """As the stepper; search by candidates does not call it."""
        return self._stepper.step(*arguments)

    def propose(self, tokens: Tensor, state: EngineState, count: int) -> Any:
        """As the stepper."""
        started = time.perf_counter()
        found = self._stepper.propose(tokens, state, count)
        self.steps.append((len(tokens), time.perf_counter() - started))
        return found


def main() -> None:
    """Decode and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--sentences", nargs="+", type=int, default=[32, 128])
    parser.add_argument("--beams", nargs="+", type=int, default=[1, 4])
    options = parser.parse_args()
    for name, value in describe_machine().items():
        print(f"{name}: {value}")
    trained = TrainedModel.load(options.model, "cpu")
    data = trained.config.data
    if data.test is None:
        parser.error(f"data.test must name a file with pairs; got none in {options.model}")
    examples = examples_from_files(data.test, data, Problems("stop"))
    sources = trained.coders("")[0].encode_batch([example.source for example in examples])
    sources.sort(key=len)
    print("\n| beam | sentences | rows at work | saved at most |")
    print("|---:|---:|---:|---:|")
    for count in options.sentences:
        for beam in options.beams:
            print(_row(trained, sources, beam, count), flush=True)


def _row(trained: TrainedModel, sources: list[list[int]], beam: int, count: int) -> str:
    stepper = fast_stepper(trained.model, trained.config.engine)
    if not isinstance(stepper, EngineStepper):
        raise SystemExit("the native engine must be there (a C++ compiler)")
    search = trained.config.search.model_copy(update={"beam": beam, "nbest": 1})
    steps: list[tuple[int, float]] = []
    for start in range(0, len(sources), count):
        watched = Watched(stepper)
        for _ in decode_all(watched, sources[start : start + count], search, window=count):
            pass
        steps += watched.steps
    seconds = sum(taken for _, taken in steps)
    rows = sum(number for number, _ in steps)
    full = [taken / number for number, taken in steps if number >= 0.9 * count * beam]
    ideal = rows * statistics.median(full)
    return (
        f"| {beam} | {count} | {rows / (len(steps) * count * beam):.0%} "
        f"| {max(0.0, 1 - ideal / seconds):.0%} |"
    )


if __name__ == "__main__":
    main()
