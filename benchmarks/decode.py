"""Decoding side by side: the same weights and sentences in ours, CTranslate2 and Hugging Face.

    pip install -r benchmarks/requirements-peers.txt    # into an environment of its own
    python -m benchmarks.decode --model runs/en-de --json decode.json --plot decode.png

Each system runs in a process of its own; all decode in turn, round after round, so that what else
the machine does falls on all of them. A ratio is taken within each round; its median
and both ends are shown. ``ONEDNN_MAX_CPU_ISA`` (``AVX2``, ``AVX512_CORE_VNNI``) holds
for every system.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.decode_cases import Case, random_case, trained_case, write_case
from benchmarks.decode_results import (
    HEADER,
    Row,
    Spread,
    StartUp,
    draw,
    line,
    summarize,
    write_json,
)
from benchmarks.decode_worker import Request, Worker
from benchmarks.machine import describe_machine
from benchmarks.side_by_side import add_arguments, in_turn, pause
from transduce.metrics.translation import bleu

SYSTEMS = (
    "ours auto",
    "ctranslate2 float32",
    "ctranslate2 int8",
    "ctranslate2 int8 workers",
    "huggingface float32",
)
SIZES = {
    "large": {"layers": 6, "width": 512, "feedforward": 2048, "heads": 8, "size": 32_000},
    "small": {"layers": 3, "width": 256, "feedforward": 1024, "heads": 4, "size": 8_000},
    "tiny": {"layers": 1, "width": 64, "feedforward": 128, "heads": 4, "size": 200},
}
_QUALITY_BATCH = 32


def main() -> None:
    """Measure and report."""
    options = _arguments()
    machine = describe_machine()
    for name, value in machine.items():
        print(f"{name}: {value}")
    rows: list[Row] = []
    start_ups: list[StartUp] = []
    quality: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as home:
        for case in _cases(options):
            folder = Path(home) / case.name
            left_out = write_case(case, folder)
            for peer, reason in left_out.items():
                print(f"{case.name}: not in {peer}: {reason}")
            systems = [s for s in options.systems if s.partition(" ")[0] not in left_out]
            print(f"\n{HEADER}", flush=True)
            memory: dict[str, float] = {}
            for threads in options.threads:
                for row in _measure(case, folder, systems, threads, options, memory):
                    print(line(row), flush=True)
                    rows.append(row)
            start_ups += _start_up(case, folder, systems, options, memory)
            quality += _quality(case, folder, systems, options)
    if options.json:
        write_json(options.json, machine, rows, start_ups, quality)
    if options.plot:
        draw(options.plot, rows, machine)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--random", nargs="*", choices=SIZES, default=["large", "small"])
    parser.add_argument("--model", type=Path, help="a trained model directory, real stopping")
    parser.add_argument("--limit", type=int, help="test sentences at most")
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, help="ours ENGINE comes first")
    parser.add_argument("--sentences", nargs="+", type=int, default=[1, 8, 32, 128])
    parser.add_argument("--beams", nargs="+", type=int, default=[1, 4, 5])
    parser.add_argument("--singles", type=int, default=20, help="sentences a round, one by one")
    parser.add_argument("--least", type=int, default=128, help="trained: sentences a round")
    parser.add_argument("--starts", type=int, default=3, help="processes timed from their start")
    add_arguments(parser)
    options = parser.parse_args()
    if not options.systems[0].startswith("ours "):
        parser.error(f"--systems must begin with ours ENGINE; got {options.systems[0]}")
    if options.quick:
        options.threads = [max(options.threads)]
        options.sentences, options.beams = [1, 32], [1, 4]
        options.singles, options.least, options.starts, options.limit = 4, 32, 1, 200
    return options


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    for name in options.random:
        count = max(*options.sentences, options.singles)
        yield random_case(name, **SIZES[name], count=count)
    if options.model:
        yield trained_case(options.model, options.limit)


# ---------------------------------------------------------------- measuring


def _measure(
    case: Case,
    folder: Path,
    systems: Sequence[str],
    threads: int,
    options: argparse.Namespace,
    memory: dict[str, float],
) -> Iterator[Row]:
    """All settings with so many threads; the peak memory of each system goes into ``memory``."""
    with ExitStack() as stack:
        first = _request(case, 1, 1, 1)
        workers = [
            stack.enter_context(Worker(system, folder, threads, first)) for system in systems
        ]
        for sentences in options.sentences:
            least = options.least if case.references else 0
            count = options.singles if sentences == 1 else max(sentences, least)
            for beam in options.beams:
                request = _request(case, beam, sentences, count)
                rounds = in_turn(workers, request, options.rounds)
                yield from summarize(case.name, threads, beam, sentences, rounds)
                for system, replies in rounds.items():
                    memory[system] = max(memory.get(system, 0), replies[-1].memory)


def _request(case: Case, beam: int, sentences: int, count: int) -> Request:
    """The first ``count`` sources in batches of ``sentences``."""
    chosen = case.sources[:count]
    batches = [chosen[at : at + sentences] for at in range(0, len(chosen), sentences)]
    return Request(batches, beam, case.min_length, case.max_length)


def _start_up(
    case: Case,
    folder: Path,
    systems: Sequence[str],
    options: argparse.Namespace,
    memory: dict[str, float],
) -> Iterator[StartUp]:
    """Fresh processes in turn, each asked for one sentence."""
    seconds: dict[str, list[float]] = {system: [] for system in systems}
    first: dict[str, float] = {}
    for _ in range(options.starts):
        for system in systems:
            pause()
            with Worker(system, folder, max(options.threads), _request(case, 1, 1, 1)) as worker:
                seconds[system].append(worker.start_up)
                first[system] = worker.memory
    for system in systems if options.starts else ():
        start = StartUp(
            case.name, system, Spread.of(seconds[system]), first[system], memory[system]
        )
        print(
            f"{case.name}, {system}: first output after {start.seconds.median:.1f} s with "
            f"{start.memory:,.0f} MB; {start.busy_memory:,.0f} MB at the most"
        )
        yield start


def _quality(
    case: Case, folder: Path, systems: Sequence[str], options: argparse.Namespace
) -> Iterator[dict[str, object]]:
    """BLEU of all test sentences, and how many outputs are those of CTranslate2 in float32."""
    if case.references is None or case.text is None:
        return
    outputs: dict[tuple[str, int], list[list[int]]] = {}
    for system in systems:
        with Worker(system, folder, max(options.threads), _request(case, 1, 1, 1)) as worker:
            for beam in options.beams:
                request = _request(case, beam, _QUALITY_BATCH, len(case.sources))
                outputs[system, beam] = worker.ask(request).outputs
    for (system, beam), found in outputs.items():
        statistics = bleu([case.text(tokens) for tokens in found], case.references, "13a")
        reference = outputs.get(("ctranslate2 float32", beam), found)
        same = sum(a == b for a, b in zip(found, reference, strict=True)) / len(found)
        score = statistics.score()
        print(f"{case.name}, {system}, beam {beam}: BLEU {score:.2f}, {100 * same:.1f} % the same")
        yield {"case": case.name, "system": system, "beam": beam, "bleu": score, "same": same}


if __name__ == "__main__":
    main()
