"""The fixture ``run``: a small trained model and its files, made once for all tests."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from transduce.config import Config
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting.fit import fit


@dataclass(frozen=True)
class Run:
    """A run on reversed strings of two or three letters."""

    folder: Path
    recipe: Path
    test: Path


def reversal_lines(seed: int, count: int) -> list[str]:
    generator = random.Random(seed)
    words = ["".join(generator.choices("abcd", k=generator.randint(1, 3))) for _ in range(count)]
    return [f"{word}\t{word[::-1]}" for word in words]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A gru-tiny that reverses short strings without a fault."""
    home = tmp_path_factory.mktemp("reversal")
    for name, seed, count in (("train", 1, 400), ("dev", 2, 20), ("test", 3, 30)):
        (home / f"{name}.tsv").write_text("\n".join(reversal_lines(seed, count)) + "\n")
    recipe = home / "reverse.yaml"
    recipe.write_text(
        f"""
name: reverse
data: {{train: {home}/train.tsv, dev: {home}/dev.tsv, test: {home}/test.tsv}}
model:
  encoder: {{kind: gru, width: 32, dropout: 0.0}}
  decoder: {{kind: gru, width: 32, dropout: 0.0}}
training: {{max_steps: 250, batch_tokens: 256, learning_rate: 0.01, warmup_steps: 10,
  evaluate_every: 125, label_smoothing: 0.0, average: none}}
search: {{max_length: 8}}
"""
    )
    config = Config.from_mapping(yaml.safe_load(recipe.read_text()))
    fit(config, open_corpora(config), home / "run")
    return Run(home / "run", recipe, home / "test.tsv")
