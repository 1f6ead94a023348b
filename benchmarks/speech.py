"""Speech recognition side by side: the same Whisper in ours and in CTranslate2.

    pip install -r benchmarks/requirements-peers.txt    # into an environment of its own
    python -m benchmarks.speech --model FOLDER --manifest clips.tsv --json speech.json

``FOLDER`` holds a Whisper in CTranslate2's format with its tokenizer.json; the manifest's lines are
a recording's path (from the manifest's folder; ``.npy``: samples at 16,000 hertz), a tab, the text.
Each system runs in a process of its own; all recognise in turn, round after round. A ratio
is taken within each round; its median and both ends are shown. Every recording is computed as 30
seconds by all, and a real-time factor is the time of that over the seconds that were
spoken.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.decode_results import Spread
from benchmarks.machine import describe_machine
from benchmarks.side_by_side import in_turn
from benchmarks.speech_worker import Request, Worker
from transduce.audio.samples import sample_count
from transduce.metrics.edit import error_rate

SYSTEMS = (
    "ours auto",
    "ours float32",
    "ctranslate2 int8",
    "ctranslate2 float32",
    "ctranslate2 int8 workers",
    "ctranslate2 float32 workers",
)
HEADER = (
    "| threads | beam | recordings | system | real-time factor | ms a recording "
    "| ours is × faster (min-max) | processor ms a recording, least | ratio "
    "|\n|---:|---:|---:|---|---:|---:|---:|---:|---:|"
)
_RATE = 16_000


@dataclass(frozen=True)
class Clip:
    """A recording, its seconds and what is said in it."""

    path: str
    seconds: float
    text: str


@dataclass(frozen=True)
class Row:
    """One system in one setting; ``speedup`` is our rate over this one, round by round.

    ``processor`` is the least of the rounds' milliseconds on processors, which other work beside
    hardly changes, and ``processor_ratio`` how many times ours that is.
    """

    threads: int
    beam: int
    recordings: int
    system: str
    real_time_factor: Spread
    milliseconds: Spread
    speedup: Spread
    processor: float
    processor_ratio: float


def main() -> None:
    """Measure and report."""
    options = _arguments()
    machine = describe_machine()
    for name, value in machine.items():
        print(f"{name}: {value}")
    clips = read_manifest(options.manifest)
    rows: list[Row] = []
    print(f"\n{HEADER}", flush=True)
    for threads in options.threads:
        for row in _measure(clips, threads, options):
            print(_line(row), flush=True)
            rows.append(row)
    errors = dict(_errors(clips, options)) if options.quality else {}
    if options.json:
        values = {"machine": machine, "rows": [asdict(row) for row in rows], "errors": errors}
        options.json.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    both = {1, len(os.sched_getaffinity(0))}
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, help="ours ENGINE comes first")
    parser.add_argument("--threads", nargs="+", type=int, default=sorted(both))
    parser.add_argument("--recordings", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--beams", nargs="+", type=int, default=[1, 5])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--singles", type=int, default=4, help="recordings a round, one by one")
    parser.add_argument("--quality", action="store_true", help="word error rates of all recordings")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.systems[0].startswith("ours "):
        parser.error(f"--systems must begin with ours ENGINE; got {options.systems[0]}")
    return options


def read_manifest(path: Path) -> list[Clip]:
    """The recordings of a manifest."""
    clips = []
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, text = line.partition("\t")
        clip = path.parent / name
        if clip.suffix == ".npy":
            samples = len(np.load(clip, allow_pickle=False, mmap_mode="r"))
        else:
            samples = sample_count(clip, _RATE)
        clips.append(Clip(str(clip), samples / _RATE, text))
    return clips


def normalized(text: str) -> str:
    """Small letters, digits and apostrophes, words parted by one space."""
    return " ".join(re.findall(r"[\w']+", text.lower()))


# ---------------------------------------------------------------- measuring


def _measure(clips: Sequence[Clip], threads: int, options: argparse.Namespace) -> Iterator[Row]:
    with ExitStack() as stack:
        workers = [
            stack.enter_context(Worker(system, options.model, threads))
            for system in options.systems
        ]
        for recordings in options.recordings:
            chosen = clips[: options.singles if recordings == 1 else recordings]
            paths = [clip.path for clip in chosen]
            batches = [paths[at : at + recordings] for at in range(0, len(paths), recordings)]
            spoken = sum(clip.seconds for clip in chosen)
            for beam in options.beams:
                rounds = in_turn(workers, Request(batches, beam), options.rounds)
                first = rounds[options.systems[0]]
                ours = [sum(reply.seconds) for reply in first]
                least = min(sum(reply.processor) for reply in first)
                for system, replies in rounds.items():
                    seconds = [sum(reply.seconds) for reply in replies]
                    used = min(sum(reply.processor) for reply in replies)
                    yield Row(
                        threads,
                        beam,
                        recordings,
                        system,
                        Spread.of([value / spoken for value in seconds]),
                        Spread.of([1000 * value / len(chosen) for value in seconds]),
                        Spread.of([b / a for a, b in zip(ours, seconds, strict=True)]),
                        1000 * used / len(chosen),
                        used / least,
                    )


def _line(row: Row) -> str:
    speedup = row.speedup
    return (
        f"| {row.threads} | {row.beam} | {row.recordings} | {row.system} "
        f"| {row.real_time_factor.median:.4f} | {row.milliseconds.median:,.0f} "
        f"| {speedup.median:.2f} ({speedup.minimum:.2f}-{speedup.maximum:.2f}) "
        f"| {row.processor:,.0f} | {row.processor_ratio:.2f} |"
    )


def _errors(clips: Sequence[Clip], options: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """The word error rate of each system over all recordings, after the same normalisation."""
    size = max(options.recordings)
    paths = [clip.path for clip in clips]
    batches = [paths[at : at + size] for at in range(0, len(paths), size)]
    references = [[normalized(clip.text)] for clip in clips]
    for system in [name for name in options.systems if not name.endswith("workers")]:
        with Worker(system, options.model, max(options.threads)) as worker:
            for beam in options.beams:
                texts = worker.ask(Request(batches, beam)).texts
                rate = error_rate([normalized(text) for text in texts], references, "word").score()
                print(f"{system}, beam {beam}: word error rate {rate:.2f} %", flush=True)
                yield f"{system}, beam {beam}", rate


if __name__ == "__main__":
    main()
