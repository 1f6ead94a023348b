"""The textbook's claim, drawn: one vector cannot hold a long sentence, attention need not.

    python -m benchmarks.reversal --output docs/reversal.png

Trains the same LSTM without and with attention, and a Transformer, to write random
strings backwards, on the same strings for the same number of steps, and draws how many strings of
each length come out right. Prints the figures too.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path

from transduce.config import Config
from transduce.drawing.figures import save
from transduce.drawing.line_chart import Line, LinePanel, lines_figure
from transduce.reading.pair_files import Example
from transduce.workflow.corpora.corpora import corpora_from_lists
from transduce.workflow.fitting.fit import fit
from transduce.workflow.trained import TrainedModel

LENGTHS = (2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
RECURRENT = {"kind": "lstm", "width": 128, "layers": 1, "dropout": 0.0}
MODELS: dict[str, dict[str, object]] = {
    "fixed vector": {
        "encoder": {**RECURRENT, "bidirectional": True},
        "decoder": {**RECURRENT, "attention": "none"},
    },
    "general attention": {
        "encoder": {**RECURRENT, "bidirectional": True},
        "decoder": {**RECURRENT, "attention": "general"},
    },
    "Transformer": {"preset": "transformer-tiny"},
}


def main() -> None:
    """Train all, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs/reversal.png"))
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = {name: _accuracy(model, arguments.steps) for name, model in MODELS.items()}
    for name, by_length in found.items():
        print(name.ljust(20), "  ".join(f"{n}: {share:.0f}" for n, share in by_length.items()))
    _draw(found, arguments.output, arguments.steps)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2))


def _accuracy(model: dict[str, object], steps: int) -> dict[int, float]:
    """Percent of 200 strings of each length that come out right."""
    config = Config.from_mapping(
        {
            "model": model,
            "training": {
                "max_steps": steps,
                "batch_tokens": 2048,
                "learning_rate": 2e-3,
                "label_smoothing": 0.0,
            },
            "search": {"max_length": 64},
        }
    )
    generator = random.Random(1)
    pairs = [_pair(generator, generator.randint(1, 32)) for _ in range(60_000)]
    dev = [_pair(generator, generator.choice(LENGTHS)) for _ in range(300)]
    with tempfile.TemporaryDirectory() as folder:
        trained = fit(config, corpora_from_lists(pairs, dev, 0.0), Path(folder) / "run")
    return {n: _right(trained, [_pair(generator, n) for _ in range(200)]) for n in LENGTHS}


def _pair(generator: random.Random, length: int) -> tuple[str, str]:
    text = "".join(generator.choices(LETTERS, k=length))
    return text, text[::-1]


def _right(trained: TrainedModel, pairs: list[tuple[str, str]]) -> float:
    examples = [Example(source, (target,)) for source, target in pairs]
    outputs = trained.predict((e.source for e in examples), trained.config.search)
    right = [best.text in e.references for e, (best, *_) in zip(examples, outputs, strict=True)]
    return 100.0 * sum(right) / len(right)


def _draw(found: dict[str, dict[int, float]], path: Path, steps: int) -> None:
    lines = [
        Line(name, list(by_length.items()), series=number)
        for number, (name, by_length) in enumerate(found.items())
    ]
    panel = LinePanel("reversed without a fault (%)", lines, limits=(-3, 103))
    title = f"Writing a string backwards, after {steps:,} steps"
    path.parent.mkdir(parents=True, exist_ok=True)
    save(lines_figure([panel], across="length of the string", title=title), path)


if __name__ == "__main__":
    main()
