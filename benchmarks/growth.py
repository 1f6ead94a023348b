"""How the cost of decoding grows: ten times the sentences, four times the length.

    python -m benchmarks.growth

Prints, for a Transformer and an LSTM of random weights and each beam, the time per output token
at ten times the sentences and the time per sentence at four times the length (sources and outputs
both), as ratios: the two sides in turn, median of the rounds, smallest to largest.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

from benchmarks.decode_results import Spread
from benchmarks.machine import describe_machine
from benchmarks.random_models import random_model, random_sources
from transduce.config import ModelConfig, SearchConfig
from transduce.engine import fast_stepper
from transduce.search import decode_all

SIZE = 8_000
SENTENCES, WRITTEN = 32, 30
_RECURRENT = {"kind": "lstm", "layers": 2, "width": 256}
_TRANSFORMER = {"kind": "transformer", "layers": 3, "width": 256, "feedforward": 1024, "heads": 4}
MODELS = {
    "Transformer": {"encoder": _TRANSFORMER, "decoder": _TRANSFORMER},
    "LSTM": {"encoder": _RECURRENT, "decoder": _RECURRENT},
}

Decode = Callable[[Sequence[Sequence[int]], int], None]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--beams", nargs="+", type=int, default=[1, 4])
    options = parser.parse_args()
    for name, value in describe_machine().items():
        print(f"{name}: {value}")
    print("\n| model | beam | per token, 10 × sentences | per sentence, 4 × length |")
    print("|---|---:|---:|---:|", flush=True)
    few, many = random_sources(SENTENCES, SIZE), random_sources(10 * SENTENCES, SIZE)
    long = random_sources(SENTENCES, SIZE, times=4)
    for name, sections in MODELS.items():
        for beam in options.beams:
            decode = _decoder(sections, beam)
            ratios = []
            for _ in range(options.rounds + 1):  # the first fills caches
                base = _seconds(decode, few, WRITTEN)
                sentences = _seconds(decode, many, WRITTEN) / (10 * base)
                ratios.append((sentences, _seconds(decode, long, 4 * WRITTEN) / base))
            columns = (Spread.of(values) for values in zip(*ratios[1:], strict=True))
            cells = (f"{s.median:.2f} ({s.minimum:.2f}-{s.maximum:.2f})" for s in columns)
            print(f"| {name} | {beam} | {' | '.join(cells)} |", flush=True)


def _decoder(sections: dict[str, dict[str, object]], beam: int) -> Decode:
    """What decodes sources to exactly so many tokens with a fresh model."""
    stepper = fast_stepper(random_model(ModelConfig.model_validate(sections), SIZE), "auto")

    def decode(sources: Sequence[Sequence[int]], length: int) -> None:
        options = SearchConfig(beam=beam, min_length=length, max_length=length)
        for _ in decode_all(stepper, sources, options):
            pass

    return decode


def _seconds(decode: Decode, sources: Sequence[Sequence[int]], length: int) -> float:
    started = time.perf_counter()
    decode(sources, length)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
