"""The card of a model: what it does, what it learnt from, how good it is, how to get and use it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from benchmarks.zoo.results import Result, Results
from benchmarks.zoo.rows import Place, Row, Zoo
from benchmarks.zoo.scores import number, over_seeds
from transduce.reference import is_recipe

__all__ = ["card"]

_WIDTH = 110
_EARLIER = (
    "These figures are of an earlier run. Its int8 form has not been measured: "
    "`make zoo` trains the model again and measures both."
)


def card(zoo: Zoo, row: Row, results: Results, place: Place) -> str:
    """The page as Markdown; ``place`` has the folders that its commands name."""
    result = results[row.name]
    pieces = [
        f"# {row.name}",
        row.task,
        _facts(zoo, row, result),
        "## Scores",
        *_scores(row, result, over_seeds(row, results)),
        "## Train it again",
        _code(_commands(row, place)),
        f"Or, with all that belongs to it: `make zoo DATA={place.data} ROWS={row.name}`.",
        "## Use it",
        _code([row.use.format(model=_model(row, place))]),
        "## Limits",
        row.limits,
        "[All models](README.md)",
    ]
    return "\n\n".join(pieces) + "\n"


def _facts(zoo: Zoo, row: Row, result: Result) -> str:
    shipped = f"[{row.recipe}](../../src/transduce/recipes/{row.recipe}.yaml)"
    facts = [("recipe", f"`{row.recipe}`" if is_recipe(row.recipe) else shipped)]
    for data in (zoo.data[name] for name in row.data):
        facts += [("data", data.title), ("licence", data.licence), ("from", data.source)]
        facts.append(("in the folder", data.form))
    if row.begins_with is not None:
        facts.append(("begins with", f"`{row.begins_with}`"))
    if row.teachers:
        facts.append(("learns from", ", ".join(f"`{name}`" for name in row.teachers)))
    facts += [
        ("architecture", result.architecture),
        ("parameters", f"{result.parameters:,}"),
        ("training", _training(result)),
    ]
    if result.megabytes:
        sizes = [f"{form} {size:.2f} MB" for form, size in result.megabytes.items()]
        facts.append(("size, all files", ", ".join(sizes)))
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts)])


def _training(result: Result) -> str:
    words = []
    if result.steps is not None:
        words.append(f"{result.steps:,} steps")
    if result.minutes is not None:
        words.append(f"{result.minutes:.1f} minutes")
    if result.processor_minutes is not None:
        words.append(f"{result.processor_minutes:.1f} minutes of processor time")
    if result.threads is not None:
        words.append("one thread" if result.threads == 1 else f"{result.threads} threads")
    words.append(f"seed {result.seed}")
    words += [result.machine] if result.machine else []
    words += [result.date] if result.date else []
    return ", ".join(words)


def _scores(row: Row, result: Result, seeds: str) -> list[str]:
    """A line a metric, a column for each form and split that was measured."""
    columns = [
        (f"{split}, {form}", scores[form])
        for split, scores in (("dev", result.dev), ("test", result.test))
        for form in ("float32", "int8")
        if form in scores
    ]
    lines = [
        f"| | {' | '.join(name for name, _ in columns)} |",
        f"|---|{'---:|' * len(columns)}",
    ]
    for metric, label in row.scores.items():
        lines.append(_line(label, metric, [scores.metrics for _, scores in columns]))
    for part in {name: None for _, scores in columns for name in scores.parts}:
        label = f"{row.scores[row.metric]}, {part}"
        own = [scores.parts.get(part, {}) for _, scores in columns]
        lines.append(_line(label, row.metric, own))
    found = ["\n".join(line.replace("|  |", "| |") for line in lines)]
    signatures = {text for _, scores in columns for text in scores.signatures.values()}
    if signatures:
        found.append(f"Signatures: {', '.join(f'`{text}`' for text in sorted(signatures))}.")
    if seeds:
        found.append(f"{row.scores[row.metric]}, {seeds}.")
    if result.remark:
        found.append(f"{result.remark[:1].upper()}{result.remark[1:]}.")
    if result.measured == "earlier":
        found.append(_EARLIER)
    found.append(f"Published on this split: {row.published}.")
    return found


def _line(label: str, metric: str, columns: Sequence[Mapping[str, float]]) -> str:
    """A metric in each column, empty where it is not known."""
    cells = [number(metric, one[metric]) if metric in one else "" for one in columns]
    return f"| {label} | {' | '.join(cells)} |"


def _commands(row: Row, place: Place) -> list[str]:
    run = str(place.run(row.name))
    return [
        _joined(place.command(row)),
        _joined(["transduce", "evaluate", run, "engine=float32"]),
        _joined(["transduce", "shrink", run, "--output", f"{run}-int8", "--weights", "int8"]),
    ]


def _model(row: Row, place: Place) -> str:
    """The int8 form."""
    return shlex.quote(f"{place.run(row.name)}-int8")


def _joined(words: Sequence[str]) -> str:
    r"""A command in lines that end in a backslash where it is long."""
    lines = [""]
    for word in map(shlex.quote, words):
        if lines[-1] and len(lines[-1]) + len(word) > _WIDTH:
            lines.append(" ")
        lines[-1] += f" {word}" if lines[-1] else word
    return " \\\n".join(lines)


def _code(lines: Sequence[str]) -> str:
    return "\n".join(["```sh", *lines, "```"])
