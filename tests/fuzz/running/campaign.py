"""Runs of harnesses: a few inputs from a fixed seed, or many from a corpus that grows."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from fuzz.harness import Files, Harness
from fuzz.running.corpus import Corpus
from fuzz.running.coverage import Lines
from fuzz.running.judging import Failure
from fuzz.running.minimise import minimised
from fuzz.running.stored import write_failure
from fuzz.running.worker import Batch, run_batch, run_one

__all__ = ["Campaign", "Failed", "drawn", "quick"]

_SLICE = 20.0  # seconds for one harness before the next has its turn
_TRACED = 12  # one of so many inputs is looked at line by line


@dataclass(frozen=True)
class Failed:
    """An input that failed. ``alone`` says whether it does so without those before it."""

    number: int
    files: Files
    failure: Failure
    alone: bool

    def __str__(self) -> str:
        told = "" if self.alone else " (only after the inputs before it)"
        return f"input {self.number}: {self.failure}{told}"


def drawn(harness: Harness, seed: int, number: int, known: Sequence[Files] = ()) -> Files:
    """The input of a number, the same whoever asks."""
    return harness.draw(Random(f"{harness.name} {seed} {number}"), known)


def quick(harness: Harness, numbers: range, seed: int = 0) -> tuple[Batch, list[Failed]]:
    """Inputs by their numbers alone; the valid samples, from -1 down, have to be answered."""

    def draw(number: int) -> Files:
        return harness.valid[-1 - number] if number < 0 else drawn(harness, seed, number)

    whole = run_batch(harness, draw, range(-len(harness.valid), 0))
    refused = [found for found in whole.found if found.refused]
    for found in refused[:1]:
        failure = Failure("answer", f"a valid input is refused: {found.key}")
        return whole, [Failed(found.number, draw(found.number), failure, True)]
    batch = run_batch(harness, draw, numbers)
    return batch, [*_failures(harness, draw, whole), *_failures(harness, draw, batch)]


def _failures(harness: Harness, draw: Callable[[int], Files], batch: Batch) -> Iterator[Failed]:
    for found in batch.found:
        if found.failure is not None:
            files = draw(found.number)
            again = run_one(harness, files)
            if again is None and found.failure.kind == "time":
                del batch.failures[found.failure.signature]
                continue  # it was traced, and is fast enough without
            alone = again is not None and again.signature == found.failure.signature
            yield Failed(found.number, files, found.failure, alone)


@dataclass
class Campaign:
    """Many inputs for several harnesses in turn; what it finds is written into ``folder``."""

    harnesses: Sequence[Harness]
    folder: Path
    seed: int
    say: Callable[[str], None] = print
    inputs: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Path] = field(default_factory=dict)  # by harness and signature

    def run(self, seconds: float, inputs: int | None = None) -> None:
        """For about so long, or until each harness had so many inputs."""
        end = time.monotonic() + seconds
        turns = [_Turns(self, harness) for harness in self.harnesses]
        while turns and time.monotonic() < end:
            for turn in list(turns):
                left = end - time.monotonic()
                wanted = None if inputs is None else inputs - self.inputs[turn.harness.name]
                if left <= 0 or (wanted is not None and wanted <= 0):
                    turns.remove(turn)
                    continue
                turn.run(min(left, _SLICE), wanted)

    def count(self, name: str, batch: Batch) -> None:
        """Add a batch to this run's numbers and, in ``counts.json``, to those of earlier ones."""
        self.inputs[name] += batch.inputs
        self.refused[name] += batch.refused
        failed = sum(batch.failures.values())
        path = self.folder / "counts.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        before = known.get(name, {})
        more = {"inputs": batch.inputs, "refused": batch.refused, "failures": failed}
        known[name] = {key: before.get(key, 0) + number for key, number in more.items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        written = path.with_suffix(".part")
        written.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
        written.replace(path)


class _Turns:
    """One harness in a campaign: what it knows from turn to turn."""

    def __init__(self, campaign: Campaign, harness: Harness) -> None:
        self.campaign, self.harness = campaign, harness
        self.corpus = Corpus(campaign.folder / "corpus", harness.name)
        self.lines, self.outcomes = Lines(), set[str]()
        self.next = 0
        old = [*harness.valid, *self.corpus.inputs]
        self._take(run_batch(harness, old.__getitem__, range(len(old)), lines=self.lines,
                             traced=lambda _: True), old.__getitem__, "of the corpus")  # fmt: skip

    def run(self, seconds: float, inputs: int | None) -> None:
        """Draw and feed for so long."""
        known = self.corpus.inputs
        seed, harness = self.campaign.seed, self.harness

        def draw(number: int) -> Files:
            return drawn(harness, seed, number, known)

        numbers = range(self.next, self.next + (1 << 30 if inputs is None else inputs))
        batch = run_batch(
            harness,
            draw,
            numbers,
            seconds=seconds,
            known=self.outcomes,
            lines=self.lines,
            traced=lambda number: number % _TRACED == 0,
        )
        self.next += batch.inputs
        self._take(batch, draw, f"with seed {seed}, from a corpus of {len(known)}")

    def _take(self, batch: Batch, draw: Callable[[int], Files], how: str) -> None:
        campaign, name = self.campaign, self.harness.name
        kept = 0
        for found in batch.found:
            self.outcomes.add(found.key)
            if found.failure is None:
                kept += self.corpus.add(draw(found.number))
        for failed in _failures(self.harness, draw, batch):
            self._write(failed, how)
        campaign.count(name, batch)
        campaign.say(
            f"{name}: {campaign.inputs[name]:,} inputs, {campaign.refused[name]:,} refused, "
            f"{len(self.corpus.inputs)} kept (+{kept}), {len(self.lines.known)} lines, "
            f"{batch.baseline >> 20} MiB before the first"
        )

    def _write(self, failed: Failed, how: str) -> None:
        key = f"{self.harness.name} {failed.failure.signature}"
        if key in self.campaign.failures:
            return
        files = failed.files
        if failed.alone:
            files = minimised(self.harness, files, failed.failure)
        path = write_failure(
            self.campaign.folder / "failures",
            self.harness.name,
            files,
            failed.failure,
            f"input {failed.number} {how}" + ("" if failed.alone else "; not alone"),
        )
        self.campaign.failures[key] = path
        self.campaign.say(f"{self.harness.name}: {failed}\n  {path}")
