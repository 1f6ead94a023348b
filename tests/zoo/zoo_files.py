"""A small zoo for the tests of this room: two rows, their data, the pages that they write."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from benchmarks.zoo.__main__ import main

RECIPE = """
name: tiny
data: {dev_fraction: 0}
model:
  encoder: {kind: gru, width: 8, dropout: 0.1}
  decoder: {kind: gru, width: 8, dropout: 0.1}
training: {max_steps: 2, batch_tokens: 64, precision: float32, metric: exact_match}
search: {max_length: 6}
evaluation: {metrics: [loss, exact_match, cer], confidence: 0}
"""
ROWS = """
data:
  made: {title: made words, licence: CC0, source: the tests, form: "`words/*.tsv`"}
footnotes: {slow: Very slow.}
rows:
  - name: reversal
    recipe: tiny.yaml
    data: [made]
    files: {train: words/train.tsv, dev: words/dev.tsv, test: words/test.tsv}
    scores: {exact_match: accuracy, cer: CER}
    published: 99 % (nobody)
    task: Says a word backwards.
    limits: Words of a to d.
    use: echo abc | transduce predict {model}
    marks: {minutes: [slow]}
  - name: student
    recipe: tiny.yaml
    label: a smaller one
    data: [made]
    files: {train: words/train.tsv, dev: words/dev.tsv, test: words/test.tsv}
    keys: [model.encoder.width=4, training.label_smoothing=0]
    teachers: [reversal]
    plain: {keys: [training.max_steps=1]}
    seed: 2
    seeds: [3]
    scores: {token_accuracy: tokens right, exact_match: accuracy}
    task: The same.
    limits: The same.
    use: echo abc | transduce predict {model}
  - name: longer
    recipe: tiny.yaml
    label: trained on
    data: [made]
    files: {train: words/train.tsv, dev: words/dev.tsv, test: words/test.tsv}
    keys: [training.max_steps=1]
    begins_with: reversal
    shown: false
    scores: {exact_match: accuracy}
    task: The same.
    limits: The same.
    use: echo abc | transduce predict {model}
"""
_BEGIN = "<!-- written by python -m benchmarks.zoo --pages: begin -->"
_END = "<!-- written by python -m benchmarks.zoo --pages: end -->"


def write_zoo(folder: Path, rows: str = ROWS, recipe: str = RECIPE) -> Path:
    """The folder with data, rows, recipe and empty pages."""
    generator = random.Random(1)
    (folder / "data" / "words").mkdir(parents=True)
    (folder / "cards").mkdir()
    for split, count in (("train", 40), ("dev", 6), ("test", 6)):
        words = ["".join(generator.choices("abcd", k=3)) for _ in range(count)]
        lines = "".join(f"{word}\t{word[::-1]}\n" for word in words)
        (folder / "data" / "words" / f"{split}.tsv").write_text(lines)
    (folder / "zoo.yaml").write_text(rows)
    (folder / "tiny.yaml").write_text(recipe)
    for page in (folder / "cards" / "README.md", folder / "table.md"):
        page.write_text(f"Above.\n\n{_BEGIN}\n{_END}\n\nBelow.\n")
    return folder


def call_zoo(folder: Path, *arguments: str) -> int:
    """The exit status of the command there."""
    return main(_places(folder, arguments))


def _places(folder: Path, arguments: Sequence[str]) -> list[str]:
    places = {"data": "data", "runs": "runs", "zoo": "zoo.yaml", "cards": "cards"}
    places["table"] = "table.md"
    given = [word for name, place in places.items() for word in (f"--{name}", str(folder / place))]
    return [*arguments, *given]
