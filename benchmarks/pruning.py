"""What pruning costs: a model's score on its test set against the share that was removed.

    python -m benchmarks.pruning runs/en-de FOLDER --test SOURCE TARGET --part feedforward \\
        --shares 0.2 0.4 0.6 0.8 --minutes 5 --picture docs/pruning-multi30k.png

For each share the model is pruned, scored, trained on for the minutes and scored again; before and
after each the whole model is timed too, on the same sentences. Pruned models stay in FOLDER, and
so do the rows (pruning.json): shares that are there are not measured again. ``--shares 0`` is the
whole model, trained on for as long.

``--scores taylor gates`` does all of it with units chosen either way, and the table at the end has
a column for each: the loss on dev as it was pruned, the minutes that it took to choose, the scores.
With ``--minutes 0`` nothing is trained, and no score but the loss on dev is measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import torch

from benchmarks.machine import describe_machine
from transduce.commands.shrinking.pruning import Scores
from transduce.config import Config, ModelConfig, ParallelFiles
from transduce.config.yaml import parse_override
from transduce.drawing.figures import save
from transduce.drawing.line_chart import Line, LinePanel, lines_figure
from transduce.metrics.known import METRICS
from transduce.metrics.losses import LossTotals
from transduce.pretrained.published_model import read_learnt_from
from transduce.reading.pair_files import Example
from transduce.reading.problems import Problems
from transduce.workflow.corpora.corpora import examples_from_files, open_corpora, read_dev
from transduce.workflow.corpora.train_sample import train_sample
from transduce.workflow.evaluate import evaluate, loss_totals, pair_batches
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
        rows.append({"asked": "", "share": 0.0})
    if "loss" not in rows[0]:
        rows[0]["loss"] = _loss(whole, read_dev(whole.config.updated(_overrides(options))))
    if options.minutes and "pruned" not in rows[0]:
        rows[0]["pruned"] = _score(whole, examples, options.metric)
    for share, scores in itertools.product(options.shares, options.scores):
        asked = " ".join([f"{options.part}={share:g}"] if share else [])
        asked = " ".join(filter(None, [asked, options.beside if share else ""]))
        measured = "trained" if options.minutes else "loss"
        same = [row for row in rows[1:] if (row["asked"], _scores(row)) == (asked, scores)]
        if (not share and scores != options.scores[0]) or any(measured in row for row in same):
            continue
        row = _measured(whole, asked, share, scores, examples, options)
        rows = [one for one in rows if one not in same] + [row]
        kept.write_text(json.dumps(rows, indent=1))
        print(json.dumps(row), flush=True)
    _tell(rows, options.metric)
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
    parser.add_argument("--scores", nargs="+", choices=get_args(Scores), default=["taylor"])
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


def _scores(row: dict[str, Any]) -> str:
    return str(row.get("scores", "taylor"))


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    given = dict(parse_override(text) for text in options.set)
    return {"training.threads": options.threads, **given}


def _measured(
    whole: TrainedModel,
    asked: str,
    share: float,
    scores: Scores,
    examples: list[Example],
    options: argparse.Namespace,
) -> dict[str, Any]:
    minutes = options.minutes or 1.0
    recipe = training_recipe(whole.config, options.model, minutes, _overrides(options))
    corpora = open_corpora(recipe)
    dev = corpora.dev_by_part()
    row: dict[str, Any] = {"asked": asked, "share": share, "scores": scores}
    began = time.perf_counter()
    gates_on = train_sample(recipe) if asked and scores == "gates" else None
    pruned = prune(whole, read_asked([asked]) if asked else (), dev, gates_on=gates_on)
    row["minutes to choose"] = (time.perf_counter() - began) / 60
    row["model"] = pruned.config.model.model_dump(mode="json", include={"encoder", "decoder"})
    row["weights"] = sum(pruned.parameters_by_module().values())
    row["loss"] = _loss(pruned, dev)
    if not options.minutes:
        return row
    row["minutes"] = options.minutes
    row["pruned"] = _score(pruned, examples, options.metric)
    name = asked.replace(" ", "_") or "whole"
    name = name if scores == "taylor" else f"{name}_{scores}"
    alone = recipe.model_copy(update={"model": ModelConfig()})
    teachers = read_learnt_from(alone).teachers
    learnt = train_on(pruned, recipe, corpora, options.folder / name, teachers=teachers)
    row["trained"] = _score(learnt, examples, options.metric)
    row["steps"] = learnt.report["training"]["steps"]
    row["faster"] = _faster(whole, learnt, examples)
    return row


def _loss(trained: TrainedModel, dev: Mapping[str, Sequence[Example]]) -> float:
    """The negative log-likelihood of a target token of dev, in nats."""
    totals = LossTotals()
    for name, own in dev.items():
        totals += loss_totals(trained.model, pair_batches(trained, own, name or None))
    return totals.negative_log_likelihood / totals.tokens


_FIGURES = {
    "loss": "dev loss as pruned",
    "minutes to choose": "minutes to choose",
    "pruned": "as pruned",
    "trained": "trained on",
    "faster": "times as fast",
}


def _tell(rows: list[dict[str, Any]], metric: str) -> None:
    """A line for what was asked, a column for each figure and way to choose."""
    score = f", {metric} {rows[0]['pruned']:.2f}" if "pruned" in rows[0] else ""
    print(f"whole: loss {rows[0]['loss']:.3f}{score}")
    ways = list(dict.fromkeys(_scores(row) for row in rows[1:]))
    found = [(key, name, way) for key, name in _FIGURES.items() for way in ways]
    by_place = {(row["asked"], _scores(row)): row for row in rows[1:]}
    found = [one for one in found if any(one[0] in by_place[place] for place in by_place)]
    print("| removed | " + " | ".join(f"{name}, {way}" for _, name, way in found) + " |")
    print("|---|" + "---:|" * len(found))
    for asked in dict.fromkeys(row["asked"] for row in rows[1:]):
        cells = [by_place.get((asked, way), {}).get(key) for key, _, way in found]
        shown = ("" if cell is None else f"{cell:.3f}" for cell in cells)
        print(f"| {asked or 'nothing'} | " + " | ".join(shown) + " |")


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
    ways = list(dict.fromkeys(_scores(row) for row in rows[1:]))
    kinds = (("trained on", "trained"), ("as pruned", "pruned"))
    lines: list[Line] = []
    for way, (name, key) in itertools.product(ways, kinds):
        own = [row for row in shares if key in row and (not row["share"] or _scores(row) == way)]
        named = name if len(ways) == 1 else f"{name}, {way}"
        lines.append(Line(named, [(100 * row["share"], row[key]) for row in own], len(lines)))
    panel = LinePanel(METRICS[options.metric].label, lines)
    across = f"% of {options.part} removed"
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    save(lines_figure([panel], across=across, title=options.title), options.picture)


if __name__ == "__main__":
    main()
