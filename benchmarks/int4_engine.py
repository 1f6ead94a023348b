"""How fast int4 products decode beside int8 ones, for models that are stored in int4.

    python -m benchmarks.int4_engine

Random weights, 30 tokens of each source, one thread; both engines decode in turn, and the ratio
(int8's time over int4's) is taken within each round: the median, smallest to largest.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch

from benchmarks.decode_results import Spread
from benchmarks.random_models import random_model, random_sources
from transduce.compress import shrunk
from transduce.config import ModelConfig, SearchConfig
from transduce.engine import fast_stepper
from transduce.interfaces import Stepper
from transduce.models.storage import adopt_weights, named_weights
from transduce.search import decode_all

_WRITTEN = 30
# decoder layers, width, heads, vocabulary
MODELS = {
    "large": (6, 512, 8, 32_000),
    "middle": (3, 512, 8, 8_000),
    "small": (3, 256, 4, 8_000),
    "tiny": (2, 128, 4, 8_000),
}
_SETTINGS = ((1, 1, 2), (1, 4, 2), (32, 1, 32))  # sentences at once, beam, sentences


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", nargs="+", choices=MODELS, default=[*MODELS])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| model | sentences | beam | int4 times as fast as int8 |\n|---|---:|---:|---:|")
    for name in options.model:
        layers, width, heads, size = MODELS[name]
        stack = {"kind": "transformer", "width": width, "feedforward": 4 * width, "heads": heads}
        sections = {"encoder": {**stack, "layers": 1}, "decoder": {**stack, "layers": layers}}
        model = random_model(ModelConfig.model_validate(sections), size)
        adopt_weights(model, {n: shrunk(w, "int4") for n, w in named_weights(model).items()})
        steppers = fast_stepper(model, "int8"), fast_stepper(model, "int4")
        for sentences, beam, count in _SETTINGS:
            ratios = []
            for number in range(options.rounds + 1):
                before, after = (
                    _seconds(stepper, random_sources(count, size), sentences, beam)
                    for stepper in steppers
                )
                ratios += [before / after] if number else []  # in the first, caches fill
            spread = Spread.of(ratios)
            ratio = f"{spread.median:.2f} ({spread.minimum:.2f}-{spread.maximum:.2f})"
            print(f"| {name} | {sentences} | {beam} | {ratio} |", flush=True)


def _seconds(stepper: Stepper[Any], sources: list[list[int]], sentences: int, beam: int) -> float:
    options = SearchConfig(beam=beam, min_length=_WRITTEN, max_length=_WRITTEN)
    start = time.perf_counter()
    for at in range(0, len(sources), sentences):
        list(decode_all(stepper, sources[at : at + sentences], options, window=sentences))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
