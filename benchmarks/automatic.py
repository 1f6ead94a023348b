"""The recipe that is chosen automatically beside one made by hand and beside presets.

    python -m benchmarks.automatic --data FOLDER --output FOLDER [--minutes 1]

Each of ten data sets is learnt by the automatic recipe, by one that a person wrote for the task,
and by five presets with characters on both sides, for the same minutes, one after the other. All
get the same files for training, dev and test. Minutes are those of the processor, of one thread, so
that other work on the machine changes nothing. A result that is in OUTPUT/results.jsonl already is
not made again. ``--only`` and ``--ways`` name some of the data sets and ways.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.automatic_cases import CASES, PRESETS, Case
from benchmarks.machine import describe_machine

WAYS = ("automatic", "hand", *PRESETS)
_TESTED = 1000  # test sources at most


def main() -> None:
    """Train what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--only", nargs="*", default=list(CASES), choices=CASES)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=WAYS)
    parser.add_argument("--table", action="store_true", help="print what is there, train nothing")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    results = arguments.output / "results.jsonl"
    if not arguments.table:
        for way in arguments.ways:
            for name in arguments.only:
                if (name, way) not in _known(results):
                    _in_a_process(arguments, name, way)
    print(table(_known(results)))


def _known(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {(found["case"], found["way"]): found for found in map(json.loads, lines)}


def _in_a_process(arguments: argparse.Namespace, name: str, way: str) -> None:
    command = [sys.executable, "-c", "from benchmarks.automatic import measure; measure()"]
    request = {
        "case": name,
        "way": way,
        "data": str(arguments.data),
        "output": str(arguments.output),
        "minutes": arguments.minutes,
    }
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    subprocess.run([*command, json.dumps(request)], check=True, env=environment)


def measure() -> None:
    """Train one way on one data set, test it, and add a line to the results."""
    request = json.loads(sys.argv[1])
    output = Path(request["output"])
    case, way = CASES[request["case"]], request["way"]
    name = f"{case.name} {way}".replace(" ", "-")
    files = case.make(Path(request["data"]), output / "data" / case.name.replace(" ", "-"))
    run = output / "runs" / name
    shutil.rmtree(run, ignore_errors=True)
    found = _trained(case, way, files, request["minutes"], run)
    line = {**request, "metric": case.metric, **found, "machine": describe_machine()}
    with (output / "results.jsonl").open("a", encoding="utf-8") as results:
        print(json.dumps(line, ensure_ascii=False), file=results)
    print(f"{case.name}, {way}: {found['score']:.1f}", flush=True)


def _trained(
    case: Case, way: str, files: dict[str, str], minutes: float, run: Path
) -> dict[str, Any]:
    from transduce.config import Config
    from transduce.reading.problems import Problems
    from transduce.workflow.corpora.corpora import examples_from_files, open_corpora
    from transduce.workflow.evaluate import evaluate
    from transduce.workflow.fitting.fit import fit

    _count_processor_time()
    limits = {"training.max_minutes": minutes, "training.threads": 1}
    seconds = 0.0
    if way == "automatic":
        from transduce.automatic.planning import plan_files

        held_out = {"data.dev": files["dev"], "data.test": files["test"]}
        plan = plan_files([files["train"]], {**held_out, "training.threads": 1}, minutes)
        config, seconds = plan.config, plan.seconds
    elif way == "hand":
        config = Config.from_mapping(case.hand).updated({**_data(case, files), **limits})
    else:
        values = {"model": {"preset": way}, "search": {"beam": 4}}
        config = Config.from_mapping(values).updated(
            {**_data(case, files), **limits, "training.metric": case.metric}
        )
    trained = fit(config, open_corpora(config), run)
    data = config.updated({"evaluation.metrics": [case.metric]})
    trained.config = data
    examples = examples_from_files(Path(files["test"]), data.data, Problems("stop"))
    step = max(1, len(examples) // _TESTED)
    evaluation = evaluate(trained, examples[::step][:_TESTED])
    record = trained.report["training"]
    return {
        "score": evaluation.scores.values[case.metric],
        "steps": record["steps"],
        "epochs": record["epochs"],
        "used_minutes": record["minutes"],
        "parameters": sum(p.numel() for p in trained.model.parameters()),
        "choice_seconds": seconds,
    }


def _count_processor_time() -> None:
    """What training takes for the time is then this process's own, of its only thread."""
    from transduce.training import run

    vars(run)["time"] = SimpleNamespace(monotonic=time.process_time)


def _data(case: Case, files: dict[str, str]) -> dict[str, Any]:
    section = {**case.data, **files}
    return {f"data.{key}": value for key, value in section.items()}


def table(found: dict[tuple[str, str], dict[str, Any]]) -> str:
    """A row a data set; what is missing is a dash."""
    ways = ["automatic", "hand", *PRESETS]
    rows = [["data set", *ways, "beside hand", "above worst preset", "seconds to choose"]]
    for name in CASES:
        scores = {way: found[name, way]["score"] for way in ways if (name, way) in found}
        own = scores.get("automatic")
        presets = [scores[way] for way in PRESETS if way in scores]
        by_hand = f"{own - scores['hand']:+.1f}" if own is not None and "hand" in scores else "-"
        above = f"{own - min(presets):+.1f}" if own is not None and presets else "-"
        chose = found[name, "automatic"]["choice_seconds"] if own is not None else None
        rows.append(
            [
                name,
                *(f"{scores[way]:.1f}" if way in scores else "-" for way in ways),
                by_hand,
                above,
                "-" if chose is None else f"{chose:.1f}",
            ]
        )
    return "\n".join(_aligned(rows))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]


if __name__ == "__main__":
    main()
