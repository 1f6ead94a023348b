"""Strings of spoken digits from real recordings, as manifests for the recipe digits.

    python recipes/digits.py free-spoken-digit-dataset/recordings data/digits

RECORDINGS is the folder of that name of the Free Spoken Digit Dataset (CC BY-SA 4.0,
https://github.com/Jakobovski/free-spoken-digit-dataset), with files such as 7_theo_3.wav. A string
has 1 to 8 digits of one speaker, silence before, between and after them; a line of a
manifest names its recordings (``0.1|7_theo_3.wav|0.25|2_theo_9.wav|0.05``), which are
joined when they are read: nothing is written but OUTPUT/{train,dev,test}.tsv. The speakers of
dev and test are never in train. There are few: by default one speaker is both, with his first 25
recordings of each digit in test and the others in dev.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LONGEST = 8  # digits of a string
TESTED = 25  # recordings of a digit that are test where dev has the same speaker
PAUSE, EDGE = 0.4, 0.2  # seconds of silence between two digits and at both ends, at most
NAME = re.compile(r"(\d)_(\w+)_(\d+)\.wav")

Clips = Mapping[int, Sequence[str]]  # by digit


def find_clips(folder: Path) -> dict[str, dict[int, list[str]]]:
    """Names of all recordings by speaker and digit, in the order of their numbers."""
    found = [match for path in folder.glob("*.wav") if (match := NAME.fullmatch(path.name))]
    clips: dict[str, dict[int, list[str]]] = {}
    for match in sorted(found, key=lambda match: (match[2], match[1], int(match[3]))):
        clips.setdefault(match[2], {}).setdefault(int(match[1]), []).append(match[0])
    return clips


def draw_line(clips: Sequence[Clips], place: str, chance: np.random.Generator) -> str:
    """A source and its text: a string of digits of one of the speakers."""
    own = clips[chance.integers(len(clips))]
    digits = chance.choice(sorted(own), chance.integers(1, LONGEST + 1))
    splits = [f"{chance.uniform(0, EDGE):.2f}"]
    for digit in digits.tolist():
        pause = EDGE if len(splits) == 2 * len(digits) - 1 else PAUSE
        name = own[digit][chance.integers(len(own[digit]))]
        splits += [os.path.join(place, name), f"{chance.uniform(0, pause):.2f}"]
    return f"{'|'.join(splits)}\t{' '.join(WORDS[digit] for digit in digits)}\n"


def write_manifests(
    recordings: Path, output: Path, dev: str, test: str, counts: Mapping[str, int]
) -> None:
    """Write the three manifests. Raises SystemExit where a speaker is not there."""
    clips = find_clips(recordings)
    if {dev, test} - clips.keys() or not clips.keys() - {dev, test}:
        known = ", ".join(clips) or "none"
        raise SystemExit(
            f"{recordings}: must hold recordings of {dev}, {test} and others; got {known}"
        )
    speakers = {"train": sorted(clips.keys() - {dev, test}), "dev": [dev], "test": [test]}
    first = {digit: names[:TESTED] for digit, names in clips[test].items()}
    others = {digit: names[TESTED:] for digit, names in clips[test].items()}
    if dev == test and not all(others.values()):
        raise SystemExit(
            f"{recordings}: must hold more than {TESTED} recordings of each digit by {test} where "
            "dev is the same speaker; give another with --dev"
        )
    output.mkdir(parents=True, exist_ok=True)
    place = os.path.relpath(recordings, output)
    for number, (split, names) in enumerate(speakers.items()):
        chance = np.random.Generator(np.random.PCG64([1, number]))
        own: list[Clips] = [clips[name] for name in names]
        if dev == test and split != "train":
            own = [first if split == "test" else others]
        lines = [draw_line(own, place, chance) for _ in range(counts[split])]
        (output / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")
        print(f"{split}: {len(lines):,} strings spoken by {', '.join(names)}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recordings", type=Path, metavar="RECORDINGS")
    parser.add_argument("output", type=Path, metavar="OUTPUT")
    parser.add_argument("--dev", default="theo", metavar="SPEAKER")
    parser.add_argument("--test", default="theo", metavar="SPEAKER")
    parser.add_argument("--strings", type=int, default=20_000, metavar="N", help="of train")
    given = parser.parse_args()
    counts = {"train": given.strings, "dev": 300, "test": 500}
    write_manifests(given.recordings, given.output, given.dev, given.test, counts)


if __name__ == "__main__":
    main()
