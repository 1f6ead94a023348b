"""What pruning costs: a model's score on its test set against the share that was removed.

    python -m benchmarks.pruning runs/en-de FOLDER --test SOURCE TARGET --part feedforward \\
        --shares 0.2 0.4 0.6 0.8 --minutes 5 --picture docs/pruning-multi30k.png

For each share the model is pruned, scored, trained on for the minutes and scored again; before and
after each the whole model is timed too, on the same sentences. Pruned models stay in FOLDER, and
so do the rows (pruning.json): shares that are there are not measured again. ``--shares 0`` is the
whole model, trained on for as long.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import describe_machine
from transduce.config import Config, ParallelFiles
from transduce.config.yaml import parse_override
from transduce.drawing.figures import save
from transduce.drawing.line_chart import Line, LinePanel, lines_figure
from transduce.metrics.known import METRICS
from transduce.reading.pair_files import Example
from transduce.reading.problems import Problems
from transduce.workflow.corpora.corpora import examples_from_files, open_corpora
from transduce.workflow.evaluate import evaluate
from transduce.workflow.pruning.asked_shares import read_asked
from transduce.workflow.pruning.going_on import train_on, training_recipe
from transduce.workflow.pruning.prune import prune
from transduce.workflow.trained import TrainedModel

_ROUNDS = 3  # of timing


def main() -> None:
    """Measure, print, draw."""
    options = _options()
    torch.set_num_threads(options.threads)
    for name, value in describe_machine().items():
        print(f"{name}: {value}")
    whole = TrainedModel.load(options.model, "cpu")
    examples = _test(whole.config, options.test)
    options.folder.mkdir(parents=True, exist_ok=True)
    kept = options.folder / "pruning.json"
    rows: list[dict[str, Any]] = json.loads(kept.read_text()) if kept.is_file() else []
    if not rows:
        rows.append({"asked": "", "share": 0.0, "pruned": _score(whole, examples, options.metric)})
        kept.write_text(json.dumps(rows, indent=1))
    print(f"whole: {options.metric} {rows[0]['pruned']:.2f}", flush=True)
    for share in options.shares:
        asked = " ".join([f"{options.part}={share:g}"] if share else [])
        asked = " ".join(filter(None, [asked, options.beside if share else ""]))
        if any(row["asked"] == asked and "trained" in row for row in rows):
            continue
        row = _measured(whole, asked, share, examples, options)
        rows = [one for one in rows if one["asked"] != asked or one is rows[0]] + [row]
        kept.write_text(json.dumps(rows, indent=1))
        print(json.dumps(row), flush=True)
    if options.picture is not None:
        _draw(rows, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--test", nargs="+", type=Path, default=[])
    parser.add_argument("--part", default="feedforward")
    parser.add_argument("--shares", nargs="*", type=float, default=[])
    parser.add_argument("--beside", default="", help="what is pruned too: heads=0.25")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--set", nargs="*", default=[], help="options of training: KEY=VALUE")
    parser.add_argument("--metric", default="bleu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--title", default="")
    parser.add_argument("--picture", type=Path)
    return parser.parse_args()


def _test(config: Config, files: list[Path]) -> list[Example]:
    """The pairs of one file, of two beside each other, or of the recipe."""
    given: Any = config.data.test
    if files:
        given = files[0]
    if len(files) > 1:
        given = ParallelFiles(source=files[0], target=files[1])
    return examples_from_files(given, config.data, Problems("stop"))


def _score(trained: TrainedModel, examples: list[Example], metric: str) -> float:
    return evaluate(trained, examples).report.metrics[metric]


def _measured(
    whole: TrainedModel,
    asked: str,
    share: float,
    examples: list[Example],
    options: argparse.Namespace,
) -> dict[str, Any]:
    overrides = {
        "training.threads": options.threads,
        **dict(parse_override(text) for text in options.set),
    }
    recipe = training_recipe(whole.config, options.model, options.minutes, overrides)
    corpora = open_corpora(recipe)
    pruned = prune(whole, read_asked([asked]) if asked else (), corpora.dev_by_part())
    row: dict[str, Any] = {"asked": asked, "share": share, "minutes": options.minutes}
    row["model"] = pruned.config.model.model_dump(mode="json", include={"encoder", "decoder"})
    row["weights"] = sum(pruned.parameters_by_module().values())
    row["pruned"] = _score(pruned, examples, options.metric)
    name = asked.replace(" ", "_") or "whole"
    learnt = train_on(pruned, recipe, corpora, options.folder / name)
    row["trained"] = _score(learnt, examples, options.metric)
    row["steps"] = learnt.report["training"]["steps"]
    row["faster"] = _faster(whole, learnt, examples)
    return row


def _faster(whole: TrainedModel, smaller: TrainedModel, examples: list[Example]) -> float:
    """The median of the whole model's seconds over the smaller one's, in turns, end to end."""
    sources = [example.source for example in examples]
    ratios = []
    for _ in range(_ROUNDS + 1):  # the first fills caches
        seconds = []
        for trained in (whole, smaller):
            started = time.perf_counter()
            list(trained.predict(sources, trained.config.search))
            seconds.append(time.perf_counter() - started)
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios[1:])


def _draw(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    shares = sorted(rows, key=lambda row: row["share"])
    lines = [
        Line(name, [(100 * row["share"], row[key]) for row in shares if key in row], place)
        for place, (name, key) in enumerate(
            (("trained on", "trained"), ("as it was pruned", "pruned"))
        )
    ]
    panel = LinePanel(METRICS[options.metric].label, lines)
    across = f"% of {options.part} removed"
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    save(lines_figure([panel], across=across, title=options.title), options.picture)


if __name__ == "__main__":
    main()
