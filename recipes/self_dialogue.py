"""Pairs for the recipe dialogue, from the Self-dialogue Corpus: each turn and the next one.

    python recipes/self_dialogue.py dialogues data/self-dialogue

DIALOGUES is the folder that get_data.py of https://github.com/jfainberg/self_dialogue_corpus
(BSD 3-clause) writes, a text file for each dialogue with one turn a line; or a file of JSON
lines with the key turns, compressed or not. Written are OUTPUT/{train,dev,test}.tsv with 96, two
and two of a hundred dialogues, chosen by the hash of their text: no dialogue is in two of them.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

from transduce.reading.split import splitter

SPLITS = {"train": 0.96, "dev": 0.02, "test": 0.02}


def pairs(turns: list[str]) -> list[tuple[str, str]]:
    r"""The turns of a dialogue with those that follow them; white space is one space.

    >>> pairs(["have you\tseen it?", " ", "yes", "and?"])
    [('have you seen it?', 'yes'), ('yes', 'and?')]
    """
    said = [text for turn in turns if (text := " ".join(turn.split()))]
    return list(itertools.pairwise(said))


def dialogues(path: Path) -> Iterator[list[str]]:
    """The turns of each dialogue of a folder of texts, or of a file of JSON lines."""
    if path.is_dir():
        for file in sorted(path.rglob("*.txt")):
            yield file.read_text(encoding="utf-8").splitlines()
        return
    packed = path.suffix == ".gz"
    with gzip.open(path, "rt", encoding="utf-8") if packed else path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)["turns"]


def main() -> None:
    """Read the command line and write the pairs."""
    parser = argparse.ArgumentParser(description="Write pairs of turns.")
    parser.add_argument("dialogues", type=Path, help="a folder of texts, or a file of JSON lines")
    parser.add_argument("output", type=Path, help="where the pairs go")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    split_of = splitter(SPLITS)
    lines: dict[str, list[str]] = {split: [] for split in SPLITS}
    for turns in dialogues(options.dialogues):
        lines[split_of("\n".join(turns))] += [f"{a}\t{b}\n" for a, b in pairs(turns)]
    for split, found in lines.items():
        (options.output / f"{split}.tsv").write_text("".join(found), encoding="utf-8")
        print(f"{options.output / split}.tsv: {len(found):,} pairs")


if __name__ == "__main__":
    main()
