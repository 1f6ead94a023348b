"""The fuzzer's commands; ``make fuzz`` calls the first.

python tests/fuzz run --minutes 60 [--harness NAME …] [--folder .fuzz] [--seed N] [--inputs N]
python tests/fuzz quick [--harness NAME …] [--number N] [--seed N] [--inputs N]
python tests/fuzz repeat FILE …
python tests/fuzz list
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

if __package__ in (None, ""):
    TESTS = Path(__file__).resolve().parent.parent
    sys.path[:1] = [str(TESTS), *(str(TESTS / name) for name in ("pretrained", "export"))]

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "Agg")

from fuzz.finding import all_harnesses, missing
from fuzz.harness import Harness
from fuzz.running.campaign import Campaign, quick
from fuzz.running.stored import read_input
from fuzz.running.worker import run_one


def main() -> int:
    given = _parser().parse_args()
    match given.command:
        case "run":
            return _run(given)
        case "quick":
            return _quick(given)
        case "repeat":
            return _repeat(given.files)
    for name, harness in all_harnesses().items():
        print(f"{name}: {harness.quick} inputs in make test")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="many inputs, from a corpus that grows")
    run.add_argument("--minutes", type=float, default=10.0)
    run.add_argument("--folder", type=Path, default=Path(".fuzz"))
    short = commands.add_parser("quick", help="what make test does")
    short.add_argument("--number", type=int, help="this input alone")
    for one in (run, short):
        one.add_argument("--harness", action="append", default=[])
        one.add_argument("--seed", type=int)
        one.add_argument("--inputs", type=int, help="of each harness")
    repeat = commands.add_parser("repeat", help="inputs of files, one by one")
    repeat.add_argument("files", nargs="+", type=Path)
    commands.add_parser("list", help="the harnesses")
    return parser


def _chosen(names: list[str]) -> list[Harness]:
    known = all_harnesses()
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"harness must be one of {', '.join(known)}; got {unknown[0]}")
    chosen = [known[name] for name in names or known]
    for harness in chosen:
        if lacks := missing(harness):
            print(f"{harness.name}: passed over, {lacks}")
    return [harness for harness in chosen if missing(harness) is None]


def _run(given: argparse.Namespace) -> int:
    seed = int(time.time()) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    campaign = Campaign(
        _chosen(given.harness), given.folder.resolve(), seed, lambda line: print(line, flush=True)
    )
    campaign.run(60 * given.minutes, given.inputs)
    total = sum(campaign.inputs.values())
    print(
        f"{total:,} inputs for {len(campaign.inputs)} harnesses, {len(campaign.failures)} failures"
    )
    for path in campaign.failures.values():
        print(f"  {path}")
    return bool(campaign.failures)


def _quick(given: argparse.Namespace) -> int:
    failures = 0
    for harness in _chosen(given.harness):
        numbers = range(given.inputs or harness.quick)
        if given.number is not None:
            numbers = range(given.number, given.number + 1)
        started = time.process_time(), time.monotonic()
        batch, found = quick(harness, numbers, given.seed or 0)
        took = time.monotonic() - started[1]
        print(
            f"{harness.name}: {batch.inputs} inputs, {batch.refused} refused, "
            f"{len(found)} failures, {len(batch.found)} outcomes, {took:.1f} s, "
            f"{batch.baseline >> 20} MiB before the first",
            flush=True,
        )
        for failed in found:
            print(f"  {failed}\n{failed.failure.trace if given.number is not None else ''}")
        failures += len(found)
    return bool(failures)


def _repeat(paths: list[Path]) -> int:
    known, failures = all_harnesses(), 0
    for path in paths:
        name, files = read_input(path)
        failure = run_one(known[name], files)
        print(f"{path}: {'no failure' if failure is None else f'{failure}'}")
        if failure is not None:
            print(failure.trace)
            failures += 1
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
