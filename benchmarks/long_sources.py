"""What a position costs in sources of 1,000 to 16,000, and whether what is far back is remembered.

    python -m benchmarks.long_sources                    # the cost of encoders, by length
    python -m benchmarks.long_sources --far --minutes 5  # keys at the start, a question at the end

Cost: encoders of ``--layers`` and ``--width``, random weights. ``train`` is an encoder's pass
forward and back in the native bfloat16 or float32 that training takes here, ``engine`` the native
encoder; as many positions in each batch, whatever the length, in turns, microseconds a position
of processor time, that of all threads together: the median, and the ratio to the shortest length.

Far: a source is four keys with their values, then noise, then a key: the target is its value, one
of 16, so that chance has 6 % right, and one of the four values 29 %. Training begins with sources
of 16 positions, which are soon learnt, and doubles them up to ``--length`` whenever nine of ten
are right; ``--minutes`` are those of one core. Measured are new sources, among them eight times as
long as any of training.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch

from benchmarks.machine import describe_machine
from transduce.config import ModelConfig
from transduce.engine import fast_stepper
from transduce.interfaces import BEGIN, END, Source
from transduce.models.build import build_model
from transduce.models.seq2seq import Seq2Seq

KINDS = ("transformer", "local", "global", "lstm", "mingru", "mamba", "linear")
_SYMBOLS = 64
_VALUES, _KEYS, _NOISE = 16, 16, 20  # of the symbols after the four special ones
_FIRST = END + 1
_PAIRS = 4
_SHORTEST, _GROWN = 16, 0.9  # --far: positions at first, right answers before there are more
_POSITIONS = 1000  # --far: of a batch, about
_RATE = 3e-3


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
    parser.add_argument("--window", type=int, default=127, help="of kinds local and global")
    parser.add_argument("--block", type=int, default=128, help="of kind global")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--minutes", type=float, default=5.0, help="--far: of training")
    parser.add_argument("--length", type=int, default=1024, help="--far: of training sources")
    return parser.parse_args()


def _model(kind: str, options: argparse.Namespace) -> Seq2Seq:
    layers, width, window = options.layers, options.width, options.window
    torch.manual_seed(1)
    encoder: dict[str, object] = {"kind": kind, "layers": layers, "width": width, "dropout": 0.0}
    if kind != "lstm":
        encoder["feedforward"] = 2 * width
    if kind in ("local", "global"):
        encoder |= {"kind": "transformer", "window": window, "positions": "relative"}
    if kind == "linear":
        encoder |= {"kind": "transformer", "attention": "linear"}
    if kind == "global":
        encoder["global_block"] = options.block
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
        model = _model(kind, options)
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
                    begin = time.process_time()
                    run(source)
                    seconds[length].append((time.process_time() - begin) / source.values.numel())
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
    model = _model(kind, options).train()
    optimizer = torch.optim.AdamW(model.parameters(), _RATE, betas=(0.9, 0.98))
    generator = torch.Generator().manual_seed(1)
    length, steps, right = min(_SHORTEST, options.length), 0, 0.0
    seconds = 60 * options.minutes
    begun = time.process_time()
    while (spent := time.process_time() - begun) < seconds:
        for group in optimizer.param_groups:  # the last third of the time brings it to zero
            group["lr"] = _RATE * min(1.0, (steps + 1) / 100, 3 * (1 - spent / seconds))
        source, answers = _questions(generator, length, max(4, _POSITIONS // length))
        logits = _answered(model, source)
        loss = torch.nn.functional.cross_entropy(logits, answers)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        steps += 1
        right += 0.02 * (float((logits.argmax(1) == answers).float().mean()) - right)
        if right > _GROWN and length < options.length:
            print(f"{kind}: {steps} steps, {spent:.0f} s: {length:,} learnt", flush=True)
            length, right = min(2 * length, options.length), 0.0
    model.eval()
    held = torch.Generator().manual_seed(2)
    for longer in (1, 2, 8):
        found = []
        with torch.inference_mode():
            for _ in range(50):
                source, answers = _questions(held, longer * options.length, 4)
                found.append((_answered(model, source).argmax(1) == answers).float().mean())
        share = 100 * float(torch.stack(found).mean())
        print(f"{kind}: {steps} steps; {longer * options.length:,} positions: {share:.1f} % right")


def _answered(model: Seq2Seq, source: Source) -> torch.Tensor:
    """Logits of the first token, ``[B, V]``."""
    logits: torch.Tensor = model(source, torch.full((len(source.lengths), 1), BEGIN))
    return logits[:, 0]  # [B, 1, V] → [B, V]


def _questions(
    generator: torch.Generator, length: int, sentences: int
) -> tuple[Source, torch.Tensor]:
    """Sources of ``length`` and END, and what is asked for, int64 ``[B]``."""
    noise = _FIRST + _VALUES + _KEYS
    rows = torch.randint(noise, noise + _NOISE, (sentences, length), generator=generator)
    keys = torch.rand(sentences, _KEYS, generator=generator).argsort(1)[:, :_PAIRS]
    keys += _FIRST + _VALUES
    values = torch.randint(_VALUES, (sentences, _PAIRS), generator=generator) + _FIRST
    rows[:, : 2 * _PAIRS] = torch.stack([keys, values], dim=2).flatten(1)
    asked = torch.randint(_PAIRS, (sentences, 1), generator=generator)
    rows[:, -1:] = keys.gather(1, asked)
    return Source.of_tokens(rows.tolist()), values.gather(1, asked)[:, 0]


if __name__ == "__main__":
    main()
