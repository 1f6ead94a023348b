"""Training side by side: ours, Hugging Face, JoeyNMT and yoyodyne on the same batches.

    python -m benchmarks.train --huggingface peers/bin/python --joeynmt joeynmt/bin/python \
        --yoyodyne yoyodyne/bin/python --json train.json --plot train.png

Each peer has an environment of its own (``benchmarks/requirements-*.txt``); one whose interpreter
is not given is left out. Each system runs in a process of its own and learns in bursts of
some steps from the same padded batches: ours, a peer, ours, the next peer, and so on, round
after round, so that what else the machine does falls on all of them. A ratio is taken
between neighbours; its median and both ends are shown. Steps alone are timed: no dev scoring, no
checkpoint, and the first burst is left out. The batches are made by our sorting by length, to the
peers' advantage; real tokens are counted, not padding.

Sizes and rates of learning are the same. What differs: ours is pre-norm like JoeyNMT's, Marian
post-norm; ours has a bias on the output; JoeyNMT drops attention weights and inner
feed-forward units too; ours clips gradients and keeps a moving average, as it does by default.
yoyodyne's attention is additive and feeds its context back: ours has that too, as the system
"ours, yoyodyne's kind", beside our default. ``ONEDNN_MAX_CPU_ISA`` holds for every system.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.machine import describe_machine
from benchmarks.side_by_side import add_arguments, pause
from benchmarks.train_cases import CASES, make_case
from benchmarks.train_protocol import Case, Request
from benchmarks.train_results import HEADER, Leg, Row, draw, line, summarize, write_json
from benchmarks.train_worker import System, Worker

# steps in a burst and seconds of a case (but one round at least) with --quick
_QUICK = {
    "transformer": (2, 150),
    "recurrent, 32 words": (40, 55),
    "recurrent, 256 words": (10, 55),
}


def main() -> None:
    """Measure and report."""
    options = _arguments()
    machine = describe_machine()
    for name, value in machine.items():
        print(f"{name}: {value}")
    left_out = {
        name: f"no --{name}"
        for name in ("huggingface", "joeynmt", "yoyodyne")
        if getattr(options, name) is None
    }
    for name, reason in left_out.items():
        print(f"{name}: not measured, {reason}")
    print(f"\n{HEADER}", flush=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.cases:
            steps, seconds = options.steps, math.inf
            if options.quick:
                steps, seconds = _QUICK.get(name, (steps, seconds))
            case = make_case(name, steps, options.data)
            path = Path(folder) / "case.json"
            case.write(path)
            for threads in options.threads:
                systems = _systems(case, options)
                for row in _measure(case, path, systems, threads, options.rounds, seconds):
                    print(line(row), flush=True)
                    rows.append(row)
                if options.json:  # each time: a run that is cut short leaves what it has
                    write_json(options.json, machine, rows, left_out)
    if options.plot:
        draw(options.plot, rows, machine)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    usual = [name for name in CASES if name != "tiny"]
    for peer in ("huggingface", "joeynmt", "yoyodyne"):
        parser.add_argument(
            f"--{peer}", type=_interpreter, metavar="PYTHON", help="interpreter that has it"
        )
    parser.add_argument("--cases", nargs="+", choices=CASES, default=usual)
    parser.add_argument(
        "--data", nargs=2, type=Path, metavar=("SRC", "TGT"), help="the Transformer's text"
    )
    parser.add_argument("--steps", type=int, help="in a burst, instead of the case's own")
    add_arguments(parser)
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1; got {options.rounds}")
    if options.quick:
        options.threads = [max(options.threads)]
    return options


def _interpreter(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise argparse.ArgumentTypeError(f"must be a Python interpreter; got {name}")
    return os.path.abspath(found)  # links stay as they are: they tell an environment


def _systems(case: Case, options: argparse.Namespace) -> list[System]:
    """Ours first."""
    ours = System("ours", sys.executable, "benchmarks.train_ours")
    systems = [ours]
    if case.kind == "recurrent":
        variant = "additive, input feeding"
        systems.append(System("ours, yoyodyne's kind", ours.interpreter, ours.module, variant))
        if options.yoyodyne:
            systems.append(System("yoyodyne", options.yoyodyne, "benchmarks.train_yoyodyne"))
        return systems
    if options.huggingface:
        systems += [
            System(f"huggingface {kind}", options.huggingface, "benchmarks.train_huggingface", kind)
            for kind in ("float32", "bfloat16")
        ]
    if options.joeynmt:
        systems.append(System("joeynmt", options.joeynmt, "benchmarks.train_joeynmt"))
    return systems


def _measure(
    case: Case, path: Path, systems: Sequence[System], threads: int, rounds: int, seconds: float
) -> Iterator[Row]:
    """One row a system; fewer rounds where another would not fit into ``seconds``."""
    began = time.monotonic()
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(system, path, threads)) for system in systems]
        ours, peers = workers[0], workers[1:]
        warm = [_leg(case, worker, 0) for worker in workers]
        before: list[list[Leg]] = [[] for _ in peers]
        legs: list[list[Leg]] = [[] for _ in peers]
        alone: list[Leg] = []
        for number in range(1, rounds + 1):
            mark = time.monotonic()
            for place, peer in enumerate(peers):
                before[place].append(_leg(case, ours, number))
                legs[place].append(_leg(case, peer, number))
            if not peers:
                alone.append(_leg(case, ours, number))
            now = time.monotonic()
            if now - began + now - mark > seconds:
                break
        own = [leg for given in before for leg in given] or alone
        about = (case.name, case.unit, threads)
        yield summarize(*about, ours.system.name, ours.ready, warm[0], own, None)
        for place, peer in enumerate(peers):
            yield summarize(
                *about,
                peer.system.name,
                peer.ready,
                warm[place + 1],
                legs[place],
                before[place],
            )


def _leg(case: Case, worker: Worker, number: int) -> Leg:
    """Leg ``number`` of a worker; each goes over the same batches."""
    pause()
    first = number * case.steps
    reply = worker.ask(Request(first, case.steps))
    return Leg(case.amount(first, case.steps) / reply.seconds, reply.loss, reply.memory)


if __name__ == "__main__":
    main()
