"""From the start of a process to its first output: how long, and in how much memory.

    pip install -r benchmarks/requirements-peers.txt    # into an environment of its own
    python -m benchmarks.start --json start.json

A random text model (the large one of ``benchmarks.decode``) is written for every system, stored as
float32 and as int8. Fresh processes in turn, round after round, each translate one sentence out of
a file, tokenizers included. ``ours`` is ``transduce predict`` of a model that was predicted with
before; ``ours whole`` is the same command with an option that makes it load all of the toolkit, as
the first prediction with a model does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.decode import SIZES
from benchmarks.machine import describe_machine
from benchmarks.side_by_side import pause
from transduce.config import Config
from transduce.export.folder import export_model
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.shrinking import shrink
from transduce.workflow.trained import TrainedModel

STORED = ("float32", "int8")
SYSTEMS = ("ours whole", "ours", "ctranslate2")
_WORDS = (10, 20, 30)  # of the sentence; the model writes as many as the last number
_SOURCE = "sources.txt"


@dataclass(frozen=True)
class Start:
    """One process: seconds to its first output, to its end, its processor time, its peak in MB."""

    first: float
    whole: float
    processor: float
    memory: float


def write_models(size: str, home: Path) -> None:
    """One model for every system, and the sentence."""
    sizes = dict(SIZES[size])
    count = sizes.pop("size")
    stack = {"kind": "transformer", "norm_position": "post", **sizes}
    side = {"kind": "whitespace"}
    config = Config.from_mapping(
        {
            "data": {"train": "pairs.tsv"},
            "model": {"encoder": stack, "decoder": stack},
            "tokenizer": {"source": side, "target": side},
            "search": {"min_length": _WORDS[-1], "max_length": _WORDS[-1]},
        }
    )
    texts = [" ".join(f"{name}{number}" for number in range(count - 4)) for name in "st"]
    sides = [Tokenizer.train([text], config.tokenizer.source) for text in texts]
    torch.manual_seed(1)
    trained = TrainedModel.fresh(config, sides[0], sides[1])
    trained.model.eval()
    trained.save(home / "ours-float32")
    shrink(trained, "int8").save(home / "ours-int8")
    for stored in STORED:
        source, target = ([*side.entries] for side in sides)
        export_model(
            trained.model, config.model, source, target, home / f"ctranslate2-{stored}", stored
        )
    generator = torch.Generator().manual_seed(1)
    numbers = torch.randint(count - 4, (_WORDS[1],), generator=generator).tolist()
    (home / _SOURCE).write_text(" ".join(f"s{number}" for number in numbers) + "\n")


def started(system: str, stored: str, home: Path, threads: int) -> tuple[Start, str]:
    """A fresh process, and what it wrote."""
    source = str(home / _SOURCE)
    if system == "ctranslate2":
        words = ["benchmarks.start_ctranslate2", str(home), stored, source]
    else:
        words = ["benchmarks.start_ours", "predict", str(home / f"ours-{stored}"), source]
        words += ["search.beam=1"] if system == "ours whole" else []
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    )
    if process.stdout is None:
        raise RuntimeError("a pipe was asked for")
    text = process.stdout.readline()
    first = time.perf_counter() - begun
    _, errors = process.communicate()
    whole = time.perf_counter() - begun
    if process.returncode:
        raise RuntimeError(f"{system}, {stored}: {errors}")
    processor, memory = map(float, errors.splitlines()[-1].split())
    return Start(first, whole, processor, memory), text


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="large")
    parser.add_argument("--starts", type=int, default=5, help="processes of each system")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--home", type=Path, help="keep the models there")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    machine = describe_machine()
    for name, value in machine.items():
        print(f"{name}: {value}")
    with tempfile.TemporaryDirectory() as aside:
        home = options.home or Path(aside)
        if not (home / _SOURCE).exists():
            write_models(options.size, home)
        rows = measured(home, options.systems, options.starts, options.threads)
    print("\nstored, system: first output s (least-most), processor s, peak MB")
    for name, starts in rows.items():
        print(f"{name}: {described(starts)}")
    if options.json:
        found = {name: [vars(start) for start in starts] for name, starts in rows.items()}
        options.json.write_text(json.dumps({"machine": machine, "starts": found}, indent=1))


def measured(
    home: Path, systems: Sequence[str], rounds: int, threads: int
) -> dict[str, list[Start]]:
    """Processes of all systems in turn; the first round, which reads files anew, is not counted."""
    rows: dict[str, list[Start]] = {}
    for number in range(rounds + 1):
        for stored in STORED:
            texts = {}
            for system in systems:
                pause()
                start, texts[system] = started(system, stored, home, threads)
                print(f"{number}, {stored}, {system}: {described([start])}", flush=True)
                if number:
                    rows.setdefault(f"{stored}, {system}", []).append(start)
            if len({texts[system] for system in systems if system.startswith("ours")}) > 1:
                raise RuntimeError(f"{stored}: outputs must be the same")
    return rows


def described(starts: list[Start]) -> str:
    """Medians."""
    firsts = [start.first for start in starts]
    middle = statistics.median
    return (
        f"{middle(firsts):.2f} ({min(firsts):.2f}-{max(firsts):.2f}), "
        f"{middle(start.processor for start in starts):.2f}, "
        f"{middle(start.memory for start in starts):.0f}"
    )


if __name__ == "__main__":
    main()
