"""A corpus of millions of pairs: the reader's rate and the memory that training on it takes.

    python -m benchmarks.corpus --pairs 5000000 --folder DIR

Writes the pairs once, reads them, encodes them and trains a small model for some steps
in a process of its own; prints pairs a second and the largest resident memory.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

from transduce.config import Config
from transduce.reading.pair_files import read_pairs
from transduce.reading.problems import Problems
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting.fit import fit


def main() -> None:
    """Generate, read, train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--only", choices=("read", "train"))
    arguments = parser.parse_args()
    corpus = arguments.folder / f"pairs-{arguments.pairs}.tsv"
    if not corpus.exists():
        _generate(corpus, arguments.pairs)
    if arguments.only is None:
        for split in ("read", "train"):
            command = [sys.executable, "-m", "benchmarks.corpus", "--only", split]
            command += ["--pairs", str(arguments.pairs), "--folder", str(arguments.folder)]
            subprocess.run([*command, "--steps", str(arguments.steps)], check=True)
        return
    config = _config(corpus, arguments.steps)
    if arguments.only == "read":
        started = time.perf_counter()
        count = sum(1 for _ in read_pairs(corpus, config.data, Problems("stop")))
        print(f"read: {count / (time.perf_counter() - started):,.0f} pairs a second, {_resident()}")
    else:
        output = arguments.folder / f"run-{time.time_ns()}"
        started, busy = time.perf_counter(), time.process_time()

        def say(line: str) -> None:
            """What is said of the data is said when all pairs are encoded."""
            print(f"{line} (after {time.process_time() - busy:.1f} s of processor time)")

        trained = fit(config, open_corpora(config), output, say=say)
        seconds = time.perf_counter() - started
        training = 60 * trained.report["training"]["minutes"]
        print(
            f"train: {seconds - training:.0f} s before the first step, {training:.0f} s "
            f"of training, {_resident()}"
        )


def _config(corpus: Path, steps: int) -> Config:
    return Config.from_mapping(
        {
            "data": {"train": str(corpus), "dev_fraction": 0.0002},
            "tokenizer": {
                "source": {"kind": "word", "minimum_count": 2},
                "target": {"kind": "word", "minimum_count": 2},
            },
            "model": {"preset": "gru-tiny"},
            "training": {"max_steps": steps},
        }
    )


def _resident() -> str:
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB resident at most"


def _generate(path: Path, pairs: int) -> None:
    """Sentences of 3 to 20 of 5,000 made-up words; the target is the source reversed."""
    generator = random.Random(1)
    letters = "bdfgklmnprstvz"
    words = [
        "".join(generator.choice(letters) + generator.choice("aeiou") for _ in range(k % 3 + 1))
        + str(k)
        for k in range(5000)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(pairs):
            sentence = generator.choices(words, k=generator.randint(3, 20))
            file.write(f"{' '.join(sentence)}\t{' '.join(reversed(sentence))}\n")


if __name__ == "__main__":
    main()
