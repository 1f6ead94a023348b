"""How fast a model decodes with a shortlist beside without one.

    python -m benchmarks.shortlist
    python -m benchmarks.shortlist --weights runs/en-de --sources test.en

Random weights, width 512, 6 and 6 layers, a vocabulary of 32,000, 20 tokens of each source and each
output, int8; lists of so many tokens as ``--lists`` says, drawn at random. With ``--weights`` a
trained model answers the sources of a file (those of its dev set if none) with the search of its
recipe, but for the beam, and its own shortlist. All ways decode in turn, and the ratio (the time
with all tokens over that with the list) is taken within each round: the median, smallest to
largest.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.decode_results import Spread
from benchmarks.machine import describe_machine
from benchmarks.random_models import random_model
from benchmarks.side_by_side import pause
from transduce.config import ModelConfig, SearchConfig
from transduce.engine import fast_stepper
from transduce.interfaces import END, Source
from transduce.search import Constraints, Shortlist, decode_all
from transduce.workflow.corpora.corpora import read_dev
from transduce.workflow.evaluate import spread
from transduce.workflow.trained import TrainedModel

_SIZE, _LENGTH = 32_000, 20
_STACK = {"kind": "transformer", "width": 512, "feedforward": 2048, "heads": 8, "layers": 6}
_SETTINGS = ((1, 1, 8), (1, 4, 4), (32, 1, 32), (32, 4, 32))  # sentences at once, beam, sentences

Decode = Callable[[int, int, int], None]  # sentences at once, beam, sentences


def main() -> None:
    """Measure and print."""
    options = _options()
    torch.set_num_threads(options.threads)
    for name, value in describe_machine().items():
        print(f"{name}: {value}")
    ways = _random_ways(options.lists) if options.weights is None else _trained_ways(options)
    (_, whole), *others = ways
    print("| times as fast | " + " | ".join(name for name, _ in others) + " |")
    print("|---|" + "---:|" * len(others))
    for setting in _SETTINGS:
        ratios: list[list[float]] = [[] for _ in others]
        for number in range(options.rounds + 1):
            before = _seconds(whole, setting)
            for found, (_, decode) in zip(ratios, others, strict=True):
                ratio = before / _seconds(decode, setting)
                found += [ratio] if number else []  # in the first, caches fill
        print(f"| {_named(*setting)} | " + " | ".join(map(_shown, ratios)) + " |", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lists", nargs="+", type=int, default=[1000, 3000])
    parser.add_argument("--weights", type=Path, help="a model directory with a shortlist")
    parser.add_argument("--sources", type=Path, help="with --weights: a file, a source a line")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _random_ways(lists: Sequence[int]) -> Iterator[tuple[str, Decode]]:
    config = ModelConfig.model_validate({"encoder": _STACK, "decoder": _STACK})
    stepper = fast_stepper(random_model(config, _SIZE), "int8")
    drawn = np.random.default_rng(1).integers(END + 1, _SIZE, (32, _LENGTH)).tolist()

    def decode(shortlist: Shortlist | None) -> Decode:
        constraints = None if shortlist is None else Constraints(shortlist=shortlist)

        def run(together: int, beam: int, count: int) -> None:
            search = SearchConfig(
                beam=beam,
                min_length=_LENGTH,
                max_length=_LENGTH,
                shortlist=shortlist is not None,
            )
            for at in range(0, count, together):
                sources = drawn[at : at + together]
                list(decode_all(stepper, sources, search, constraints, window=together))

        return run

    yield "all tokens", decode(None)
    for length in lists:
        shortlist = _random_shortlist(length)
        found = shortlist.of(Source.of_tokens([[*row, END] for row in drawn]))
        mean = float((found != 0).sum()) / len(drawn)
        yield f"lists of {mean:,.0f} tokens", decode(shortlist)


def _random_shortlist(length: int) -> Shortlist:
    """Half of a list is of frequent tokens, the rest of those that its source calls for."""
    chance = np.random.default_rng(2)
    each = length // 2 // _LENGTH
    always = chance.choice(np.arange(END + 1, _SIZE), length - each * _LENGTH, replace=False)
    tokens = chance.integers(END + 1, _SIZE, _SIZE * each)
    return Shortlist(np.arange(_SIZE + 1) * each, tokens, always, _SIZE)


def _trained_ways(options: argparse.Namespace) -> Iterator[tuple[str, Decode]]:
    trained = TrainedModel.load(options.weights, "cpu")
    if options.sources is None:
        dev = next(iter(read_dev(trained.config).values()))
        sources = [example.source for example in spread(dev, 32)]
    else:
        sources = options.sources.read_text(encoding="utf-8").splitlines()[:32]

    def decode(listed: bool) -> Decode:
        def run(together: int, beam: int, count: int) -> None:
            search = trained.config.search.model_copy(
                update={"beam": beam, "nbest": 1, "shortlist": listed}
            )
            list(trained.predict(sources[:count], search, window=together))

        return run

    yield "all tokens", decode(False)
    yield "its own shortlist", decode(True)


def _seconds(decode: Decode, setting: tuple[int, int, int]) -> float:
    pause()
    began = time.perf_counter()
    decode(*setting)
    return time.perf_counter() - began


def _named(together: int, beam: int, _: int) -> str:
    sentences = "one sentence" if together == 1 else f"{together} sentences"
    return f"{sentences}, " + ("greedy" if beam == 1 else f"beam {beam}")


def _shown(ratios: Sequence[float]) -> str:
    found = Spread.of(ratios)
    return f"{found.median:.2f} ({found.minimum:.2f}-{found.maximum:.2f})"


if __name__ == "__main__":
    main()
