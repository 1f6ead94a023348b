"""Methods of docs/learning.md side by side: each trains for the same processor time.

    python -m benchmarks.methods g2p data.train=TRAIN data.dev=DEV --seconds 220 --output runs/kor

Each method trains by the recipe and its own options. First it makes thirty steps, which say what
one of its steps costs; then as many as fit into ``--seconds`` of one core, with the learning rate's
schedule over just these; two scorings of dev come on top. A method that makes two passes so makes
half of the steps. The first is the plain recipe, and the others are compared with it on dev
(``transduce compare``).
``--compare`` trains nothing, and compares what is there.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

ROOT = Path(__file__).parent.parent
METHODS = {
    "plain": [],
    "r-drop": ["training.r_drop_weight=1"],
    "simcut": ["training.simcut_weight=1"],
    "adversarial": ["training.adversarial_weight=1"],
    "virtual-adversarial": ["training.virtual_adversarial_weight=1"],
    "adversarial-symbols": ["training.adversarial_symbols_weight=1"],
    "mixup": ["training.mixup_weight=1"],
    "word-dropout": ["training.source_word_dropout=0.1"],
    "switchout": ["training.switchout_temperature=1"],
    "subword-sampling": ["training.source_subword_sampling=0.1"],
    "muon": ["training.optimizer=muon"],
}
_FEW, _MORE = 4, 34  # steps of the two runs that say what a step costs
# a fresh model writes long outputs: none are asked for
_PILOT = ["training.dev_sentences=1", "evaluation.confidence=0"]


def main() -> None:
    """Train each, compare all, print a table."""
    options = _arguments()
    options.output.mkdir(parents=True, exist_ok=True)
    methods = list(dict.fromkeys(["plain", *options.methods]))
    if not options.compare:
        start = _trained(options, _PILOT, _FEW, options.output / "pilot")
        for name in methods:
            _measured(options, name, start)
    _report(options, [name for name in methods if (options.output / name).exists()])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe")
    parser.add_argument("keys", nargs="*", help="KEY=VALUE of the recipe, for all methods")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS][:7])
    parser.add_argument("--seconds", type=float, default=200, help="of one core, for each")
    parser.add_argument("--dev", default=None, help="the data of the comparison; none: data.dev")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def _measured(options: argparse.Namespace, name: str, start: float) -> None:
    """Train by one method. ``start`` is what a run of few steps takes."""
    pilot = options.output / f"{name}-pilot"
    step = (_trained(options, [*METHODS[name], *_PILOT], _MORE, pilot) - start) / (_MORE - _FEW)
    steps = max(_MORE, int((options.seconds - start) / max(step, 1e-4)))
    seconds = _trained(options, METHODS[name], steps, options.output / name)
    found = {"steps": steps, "seconds": round(seconds), "step": round(step, 4)}
    (options.output / f"{name}.json").write_text(json.dumps(found), encoding="utf-8")
    print(json.dumps({"method": name, **found}), flush=True)


def _trained(options: argparse.Namespace, keys: Sequence[str], steps: int, folder: Path) -> float:
    """Train so many steps with two dev scorings; the processor time, in seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    limits = ["training.max_minutes=null", f"training.max_steps={steps}", "training.threads=1"]
    limits.append(f"training.evaluate_every={(steps + 1) // 2 if steps > _MORE else steps}")
    before = _processor_time()
    _run("train", options.recipe, *options.keys, *limits, *keys, "--output", str(folder))
    return _processor_time() - before


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(*words: str) -> None:
    command = [sys.executable, "-m", "transduce", *words]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr.strip()}")


def _report(options: argparse.Namespace, methods: Sequence[str]) -> None:
    """Print a row of each method, with p against the first."""
    data = options.dev or next(key[9:] for key in options.keys if key.startswith("data.dev="))
    file = options.output / "compare.json"
    models = [str(options.output / name) for name in methods]
    _run("compare", *models, "--data", data, "--json", str(file))
    for name, system in zip(methods, json.loads(file.read_text())["systems"], strict=True):
        told = options.output / f"{name}.json"
        own = json.loads(told.read_text()) if told.exists() else {}
        cells = [name, str(own.get("steps", "")), str(own.get("seconds", ""))]
        for metric, value in system["metrics"].items():
            p = system["against_first"].get(metric, {}).get("p_value")
            cells.append(f"{metric} {value:.2f}" + ("" if p is None else f" (p = {p:.2g})"))
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
