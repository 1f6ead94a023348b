"""Scores and sizes of a run, and of its int8 form, which is made here."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.machine import describe_machine
from benchmarks.zoo.architecture import architecture
from benchmarks.zoo.results import Result, Scores
from benchmarks.zoo.rows import Row
from transduce.commands.arguments import test_parts
from transduce.config import Config
from transduce.files import digest, place
from transduce.ladder.rung import sizes
from transduce.metrics.known import METRICS
from transduce.reading.pair_files import Example
from transduce.reading.parts import parts_of
from transduce.reading.problems import Problems
from transduce.workflow.corpora.corpora import read_dev
from transduce.workflow.evaluate import evaluate
from transduce.workflow.mixture_scores import evaluate_parts
from transduce.workflow.model_folder import WEIGHTS
from transduce.workflow.shrinking import shrink
from transduce.workflow.trained import TrainedModel

__all__ = ["LARGEST", "WIDEST", "complaints", "measure", "weights_digest"]

LARGEST = 3.0  # megabytes of the int8 form, all files that it is read from
WIDEST = 0.2  # points that it may be worse than float32

Examples = Mapping[str, Sequence[Example]]


def measure(
    row: Row,
    config: Config,
    run: Path,
    smaller: Path,
    processor_minutes: float | None = None,
    earlier: Result | None = None,
) -> Result:
    """Score a run on dev and test, in float32 and in int8, which is written to ``smaller``.

    Float32 is ``engine=float32``; int8 runs as it does for anybody. What an ``earlier`` measurement
    of the same weights knew of processor time stays. Raises as ``transduce evaluate`` and
    ``shrink``.
    """
    trained = TrainedModel.load(run, "cpu")
    own = {name: getattr(config, name) for name in ("name", "data", "search", "evaluation")}
    trained.config = trained.config.model_copy(update={**own, "engine": "float32"})
    record, weights = trained.report["training"], weights_digest(run)
    if processor_minutes is None and earlier is not None and earlier.weights == weights:
        processor_minutes = earlier.processor_minutes
    small = _shrunk(trained, smaller)
    dev, test = read_dev(config), _test(config)
    forms = {"float32": trained, "int8": small}
    bytes_of = {"float32": sizes(run)[0], "int8": sizes(smaller)[0]}
    return Result(
        keys=row.keys,
        seed=row.seed,
        architecture=architecture(trained.config),
        parameters=sum(trained.report["parameters"].values()),
        minutes=round(record["minutes"], 1),
        processor_minutes=processor_minutes,
        steps=record["steps"],
        threads=record["threads"],
        machine=_machine(),
        date=str(trained.report["created"])[:10],
        dev={name: _scores(one, dev) for name, one in forms.items()},
        test={name: _scores(one, test) for name, one in forms.items()} if test else {},
        megabytes={name: round(size / 1e6, 2) for name, size in bytes_of.items()},
        weights=weights,
    )


def complaints(row: Row, result: Result) -> list[str]:
    """What a result should be and is not."""
    found = []
    size = result.megabytes.get("int8")
    if size is not None and size > LARGEST:
        found.append(f"its int8 form must have {LARGEST:g} MB at most; got {size:.2f} MB")
    scores = result.test or result.dev
    if len(scores) == 2:
        whole, small = (scores[form].metrics[row.metric] for form in ("float32", "int8"))
        worse = small - whole if METRICS[row.metric].lower_is_better else whole - small
        if worse > WIDEST + 1e-9:
            found.append(
                f"{row.scores[row.metric]} in int8 must be within {WIDEST} points of {whole:.2f}; "
                f"got {small:.2f}"
            )
    return found


def weights_digest(run: Path) -> str:
    """Names the weights of a run."""
    return digest(place(run, WEIGHTS))


def _shrunk(trained: TrainedModel, smaller: Path) -> TrainedModel:
    """The int8 form, written anew and read again, as anybody reads it."""
    shutil.rmtree(smaller, ignore_errors=True)
    small = shrink(trained, "int8")
    small.config = small.config.model_copy(update={"engine": "auto"})
    small.save(smaller)
    return TrainedModel.load(smaller, "cpu")


def _test(config: Config) -> Examples:
    parts = parts_of(config).values()
    if all(part.data.test is None and not part.data.test_fraction for part in parts):
        return {}
    return test_parts(config, Problems(config.data.on_error))


def _scores(trained: TrainedModel, examples: Examples) -> Scores:
    problems = Problems(trained.config.data.on_error)
    if trained.config.data.parts is None:
        report = evaluate(trained, examples[""], problems=problems).report
        return Scores(metrics=_rounded(report.metrics), signatures=dict(report.signatures))
    found = evaluate_parts(trained, examples, problems=problems)
    parts = {name: _rounded(one.report.metrics) for name, one in found.parts.items()}
    return Scores(metrics=_rounded(found.to_dict()["metrics"]), parts=parts)


def _rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in metrics.items()}


def _machine() -> str:
    found = describe_machine()
    return f"{found['processor']}, {found['processors']} processors, {found['features']}"
