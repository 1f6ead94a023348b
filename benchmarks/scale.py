"""What a large corpus costs beside its predictions: reading, encoding, memory for each pair.

    OMP_NUM_THREADS=1 RAYON_NUM_THREADS=1 python -m benchmarks.scale MODEL SOURCES TARGETS

SOURCES and TARGETS are parallel text files. Rates are of CPU seconds, so of one core.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from transduce.batches.batching import Batches
from transduce.batches.encoded_corpus import EncodedCorpus, EncodedSide
from transduce.commands.answering.chosen_models import chosen_models
from transduce.commands.in_blocks.corpus_files import survey
from transduce.commands.predicting.answer_forms import FORMS
from transduce.commands.predicting.asked_models import AskedModels
from transduce.commands.predicting.request import Request

READ_TIMES = 10  # the files are short
PAIRS = 5_000_000  # of random lengths, whose memory is measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "sources", "targets"):
        parser.add_argument(name, type=Path)
    asked = parser.parse_args()
    models = AskedModels(Request(asked.model), FORMS["jsonl"])
    sources, targets = (
        path.read_text(encoding="utf-8").split("\n")[:-1] for path in (asked.sources, asked.targets)
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        read(Request(asked.model), sources * READ_TIMES, folder)
        encode(models, sources, targets, folder / "corpus")
    remember()


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def read(request: Request, sources: list[str], folder: Path) -> None:
    pq.write_table(pa.table({"source": sources}), folder / "in.parquet")
    (folder / "in.txt").write_text("".join(f"{line}\n" for line in sources), encoding="utf-8")
    for name in ("in.parquet", "in.txt"):
        path = str(folder / name)
        models = chosen_models(replace(request, sources=(path,)))
        spent = seconds(partial(survey, [path], models, lambda line: None))
        print(f"{name}: {len(sources) / spent:,.0f} records counted a second")


def encode(models: AskedModels, sources: list[str], targets: list[str], folder: Path) -> None:
    coders = models.trained.coders(models.part.name)
    folder.mkdir()
    made: list[EncodedCorpus] = []
    pairs = list(zip(sources, targets, strict=True))
    spent = seconds(lambda: made.append(EncodedCorpus.build(pairs, *coders, folder=folder)))
    tokens = len(made[0].source.tokens) + len(made[0].target.tokens)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(
        f"{len(pairs) / spent:,.0f} pairs encoded a second, {tokens / len(pairs):.1f} tokens each"
    )
    print(f"{size / len(pairs):.1f} bytes of disk a pair, {size / tokens:.2f} a token")


def remember() -> None:
    chance = np.random.default_rng(0)
    before = resident()
    source, target = (
        EncodedSide.of(np.zeros(0, np.uint16), chance.integers(5, 30, PAIRS, dtype=np.int32))
        for _ in range(2)
    )
    batches = Batches(EncodedCorpus(source, target), 4096, 1)
    spent = seconds(lambda: batches.plan(0))
    print(f"{(resident() - before) / PAIRS:.1f} bytes of memory a pair and process")
    print(f"{spent / PAIRS * 1e9:,.0f} s to plan an epoch of a billion pairs")


def resident() -> int:
    """Bytes of this process that are in memory."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024


if __name__ == "__main__":
    main()
