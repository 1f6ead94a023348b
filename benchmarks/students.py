"""How fast the decoders of student presets are beside Transformers of as many weights.

    python -m benchmarks.students

Random weights, both vocabularies of 8,000, 30 tokens of each source, the engine's own choice of
numbers, one thread. Each row is the median of rounds in which all models decode in turn; the ratio
is that of the times within a round, Transformer over model, smallest to largest.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch

from benchmarks.decode_results import Spread
from benchmarks.machine import describe_machine
from benchmarks.random_models import random_model, random_sources
from transduce.config import Config, SearchConfig
from transduce.engine import fast_stepper
from transduce.interfaces import Stepper
from transduce.search import decode_all

_SIZE, _WRITTEN = 8_000, 30
_WITH_FEEDFORWARD = {"feedforward": 1024}
# the first of each group is what the others are compared with
MODELS: dict[str, dict[str, dict[str, Any]]] = {
    "small": {
        "transformer-small": {"preset": "transformer-small"},
        "transformer-small, 6 over 2 layers": {
            "preset": "transformer-small",
            "encoder": {"layers": 6},
            "decoder": {"layers": 2},
        },
        "student-small": {"preset": "student-small"},
        "student-small, feed-forward blocks": {
            "preset": "student-small",
            "decoder": _WITH_FEEDFORWARD,
        },
    },
    "base": {
        "transformer-base, 3 layers": {
            "preset": "transformer-base",
            "encoder": {"layers": 3},
            "decoder": {"layers": 3},
        },
        "student-base": {"preset": "student-base"},
    },
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", nargs="+", choices=MODELS, default=[*MODELS])
    parser.add_argument("--sentences", nargs="+", type=int, default=[1, 32])
    parser.add_argument("--beams", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    for name, value in describe_machine().items():
        print(f"{name}: {value}")
    torch.set_num_threads(1)
    print("| model | weights, millions | sentences | beam | tokens/s | times as fast |")
    print("|---|---:|---:|---:|---:|---:|")
    for size in options.size:
        models = {name: _model(section) for name, section in MODELS[size].items()}
        for sentences in options.sentences:
            for beam in options.beams:
                _compare(models, sentences, beam, options.rounds)


def _model(section: dict[str, Any]) -> tuple[Stepper[Any], float]:
    """The engine's form and millions of weights."""
    model = random_model(Config.from_mapping({"model": section}).model, _SIZE)
    return fast_stepper(model), sum(weight.numel() for weight in model.parameters()) / 1e6


def _compare(
    models: dict[str, tuple[Stepper[Any], float]], sentences: int, beam: int, rounds: int
) -> None:
    sources = random_sources(32, _SIZE)[: max(4, sentences)]
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for count in range(rounds + 1):
        for name, (stepper, _) in models.items():
            taken = _seconds(stepper, sources, sentences, beam)
            if count:  # in the first, caches fill
                seconds[name].append(taken)
    first = seconds[next(iter(models))]
    for name, (_, weights) in models.items():
        rate = len(sources) * _WRITTEN / sorted(seconds[name])[rounds // 2]
        spread = Spread.of([one / own for one, own in zip(first, seconds[name], strict=True)])
        print(
            f"| {name} | {weights:.1f} | {sentences} | {beam} | {rate:,.0f} "
            f"| {spread.median:.2f} ({spread.minimum:.2f}-{spread.maximum:.2f}) |",
            flush=True,
        )


def _seconds(stepper: Stepper[Any], sources: list[list[int]], sentences: int, beam: int) -> float:
    options = SearchConfig(beam=beam, min_length=_WRITTEN, max_length=_WRITTEN)
    start = time.perf_counter()
    for at in range(0, len(sources), sentences):
        batch = sources[at : at + sentences]
        list(decode_all(stepper, batch, options, window=len(batch)))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
