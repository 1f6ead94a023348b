"""bfloat16 and float32 side by side: the loss on dev at the same steps, from the same seeds.

    python -m benchmarks.precision src/transduce/recipes/cmudict.yaml data.train=train.tsv \
        data.dev=dev.tsv --steps 1000 --plot precision.png

Each seed is trained in both precisions; prints a table and draws all curves. What differs
between two seeds of one precision says how much of a difference means nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from transduce.config import Config, load_config
from transduce.drawing.figures import save
from transduce.drawing.line_chart import Line, LinePanel, lines_figure
from transduce.workflow.corpora.corpora import open_corpora
from transduce.workflow.fitting.fit import fit

PRECISIONS = ("float32", "bfloat16")
Curve = dict[int, float]  # loss on dev, nats a token, at each step scored


def main() -> None:
    """Train all, print, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--scorings", type=int, default=8)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    recipe = load_config(options.recipe, options.overrides)
    curves: dict[tuple[str, int], Curve] = {}
    for seed in options.seeds:
        for precision in PRECISIONS:
            config = recipe.updated(
                {
                    "training.seed": seed,
                    "training.precision": precision,
                    "training.max_minutes": None,
                    "training.max_steps": options.steps,
                    "training.evaluate_every": options.steps // options.scorings,
                    "training.metric": "loss",
                }
            )
            curves[precision, seed] = _train(config)
            last = curves[precision, seed][options.steps]
            print(f"{precision}, seed {seed}: {last:.4f} after {options.steps} steps", flush=True)
    _print(curves, options.seeds)
    if options.plot:
        _draw(curves, options.plot, recipe.name)


def _train(config: Config) -> Curve:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        fit(config, open_corpora(config), run)
        lines = (run / "training" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    events = map(json.loads, lines)
    return {event["step"]: event["loss"] for event in events if event["event"] == "dev"}


def _print(curves: dict[tuple[str, int], Curve], seeds: Sequence[int]) -> None:
    names = [f"{precision}, seed {seed}" for seed in seeds for precision in PRECISIONS]
    print(f"\n| step | {' | '.join(names)} |\n|---:|{'---:|' * len(names)}")
    for step in curves[PRECISIONS[0], seeds[0]]:
        losses = (curves[precision, seed][step] for seed in seeds for precision in PRECISIONS)
        print(f"| {step:,} | {' | '.join(f'{loss:.4f}' for loss in losses)} |")


def _draw(curves: dict[tuple[str, int], Curve], path: Path, name: str) -> None:
    """The curves of float32 lie broad and pale below those of bfloat16."""
    first = min(seed for _, seed in curves)
    lines = [
        Line(
            f"{precision}, seed {seed}",
            list(curve.items()),
            series=PRECISIONS.index(precision),
            broad=precision == "float32",
            dashed=seed != first and precision != "float32",
        )
        for (precision, seed), curve in curves.items()
    ]
    panel = LinePanel("dev loss (nats a token)", lines)
    save(lines_figure([panel], across="steps", title=f"Two precisions, {name}"), path)


if __name__ == "__main__":
    main()
