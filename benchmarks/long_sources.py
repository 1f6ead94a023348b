"""What a position costs in sources of 1,000 to 16,000, and whether what is far back is remembered.

    python -m benchmarks.long_sources                    # the cost of encoders, by length
    python -m benchmarks.long_sources --far --minutes 5  # keys at the start, a question at the end

Cost: encoders of ``--layers`` and ``--width``, random weights. ``train`` is an encoder's pass
forward and back in the native bfloat16 or float32 that training takes here, ``engine`` the native
encoder; as many positions in each batch, whatever the length, in turns, microseconds a position:
the median, and the ratio to the shortest length.

Far: a source is four keys with their values, then noise, then a key: the target is its value, one
of 16, so that chance has 6 % right. A model is trained on sources of ``--length`` positions and
measured on others, among them eight times as long.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch

from benchmarks.machine import describe_machine
from transduce.config import ModelConfig
from transduce.engine import fast_stepper
from transduce.interfaces import BEGIN, END, Source
from transduce.models.build import build_model
from transduce.models.seq2seq import Seq2Seq

KINDS = ("transformer", "lstm", "mingru")
_SYMBOLS = 64
_VALUES, _KEYS, _NOISE = 16, 16, 20  # of the symbols after the four special ones
_FIRST = END + 1
_PAIRS = 4


def main() -> None:
    """Measure one or the other and print a table."""
    options = _options()
    torch.set_num_threads(options.threads)
    for name, value in describe_machine().items():
        print(f"{name}: {value}")
    if options.far:
        for kind in options.kinds:
            _far(kind, options)
    else:
        _cost(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--far", action="store_true")
    parser.add_argument("--kinds", nargs="+", default=[*KINDS])
    parser.add_argument("--lengths", nargs="+", type=int, default=[1000, 4000, 16000])
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--minutes", type=float, default=5.0, help="--far: of training")
    parser.add_argument("--length", type=int, default=500, help="--far: of training sources")
    return parser.parse_args()


def _model(kind: str, layers: int, width: int) -> Seq2Seq:
    torch.manual_seed(1)
    encoder: dict[str, object] = {"kind": kind, "layers": layers, "width": width, "dropout": 0.0}
    if kind in ("transformer", "mingru"):
        encoder["feedforward"] = 2 * width
    # two layers: one finds the question, the next what it asks for
    decoder = {"kind": "transformer", "layers": 2, "width": width, "dropout": 0.0}
    decoder["feedforward"] = 2 * width
    config = ModelConfig.model_validate({"encoder": encoder, "decoder": decoder})
    return build_model(config, _SYMBOLS, _SYMBOLS)


# ---------------------------------------------------------------- cost


def _cost(options: argparse.Namespace) -> None:
    most = max(options.lengths)
    print(f"\n{most:,} positions a batch, {options.layers} layers, width {options.width}\n")
    print("| encoder | | " + " | ".join(f"{length:,}" for length in options.lengths) + " |")
    print("|---|---|" + "---:|" * len(options.lengths))
    for kind in options.kinds:
        model = _model(kind, options.layers, options.width)
        stepper = fast_stepper(model.eval())
        ways: dict[str, Callable[[Source], object]] = {
            "train": partial(_there_and_back, model),
            "engine": stepper.start,
        }
        for way, run in ways.items():
            seconds: dict[int, list[float]] = {length: [] for length in options.lengths}
            for _ in range(options.rounds):
                for length in options.lengths:
                    source = _random_source(most // length, length)
                    begin = time.perf_counter()
                    run(source)
                    seconds[length].append((time.perf_counter() - begin) / source.values.numel())
            each = [1e6 * statistics.median(own) for own in seconds.values()]
            cells = " | ".join(f"{one:.2f} ({one / each[0]:.2f})" for one in each)
            print(f"| {kind} | {way} | {cells} |", flush=True)


def _random_source(sentences: int, length: int) -> Source:
    return Source.of_tokens(torch.randint(_FIRST, _SYMBOLS, (sentences, length)).tolist())


def _there_and_back(model: Seq2Seq, source: Source) -> None:
    state = model.start(source)
    state.memory.vectors.square().mean().backward()  # type: ignore[no-untyped-call]
    model.zero_grad()


# ---------------------------------------------------------------- far


def _far(kind: str, options: argparse.Namespace) -> None:
    model = _model(kind, options.layers, options.width).train()
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    generator = torch.Generator().manual_seed(1)
    end, steps = time.monotonic() + 60 * options.minutes, 0
    while (left := end - time.monotonic()) > 0:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (steps + 1) / 50, left / (30 * options.minutes))
        for source, answers in _questions(generator, options.length, 8, 1):
            read = torch.full((len(answers), 1), BEGIN)
            loss = torch.nn.functional.cross_entropy(model(source, read)[:, 0], answers)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        steps += 1
    model.eval()
    held = torch.Generator().manual_seed(2)
    for length in (options.length, 2 * options.length, 8 * options.length):
        right = total = 0
        with torch.inference_mode():
            for source, answers in _questions(held, length, 4, 25):
                logits = model(source, torch.full((len(answers), 1), BEGIN))[:, 0]
                right += int((logits.argmax(1) == answers).sum())
                total += len(answers)
        print(f"{kind}: {steps} steps; {length:,} positions: {100 * right / total:.0f} % right")


def _questions(
    generator: torch.Generator, length: int, sentences: int, batches: int
) -> Iterator[tuple[Source, torch.Tensor]]:
    """Sources of ``length`` and what is asked for, int64 ``[B]``."""
    noise_from = _FIRST + _VALUES + _KEYS
    for _ in range(batches):
        rows = torch.randint(
            noise_from, noise_from + _NOISE, (sentences, length), generator=generator
        )
        answers = torch.empty(sentences, dtype=torch.int64)
        for row, answer in zip(rows, range(sentences), strict=True):
            keys = torch.randperm(_KEYS, generator=generator)[:_PAIRS] + _FIRST + _VALUES
            values = torch.randint(_VALUES, (_PAIRS,), generator=generator) + _FIRST
            row[: 2 * _PAIRS] = torch.stack([keys, values], dim=1).flatten()
            asked = int(torch.randint(_PAIRS, (1,), generator=generator))
            row[-1] = keys[asked]
            answers[answer] = values[asked]
        yield Source.of_tokens(rows.tolist()), answers


if __name__ == "__main__":
    main()
