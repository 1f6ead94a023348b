"""The mean of several models' weights, chosen on dev ("greedy soup", Wortsman et al. 2022).

    python -m benchmarks.average RUN RUN … --data DEV --metric wer --output runs/average

The runs must have gone on from one model (``model.from``): means of models that were trained apart
are worth nothing. The best run on ``--data`` is taken first; then each of the others in the order
of their scores, and kept where the mean with it is better on ``--data`` than without. No test set
is looked at.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from transduce.metrics.known import METRICS
from transduce.models.storage import named_weights, set_weights
from transduce.workflow.trained import TrainedModel

__all__ = ["main"]


def main() -> None:
    """Choose, and say each score."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--data", required=True, help="as data.dev of a recipe")
    parser.add_argument("--metric", choices=METRICS, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    sign = -1 if METRICS[options.metric].lower_is_better else 1

    def score(model: Path) -> float:
        found = _score(model, options.data, options.metric)
        print(f"{model}: {options.metric} {found:.2f}", flush=True)
        return sign * found

    scores = {model: score(model) for model in options.models}
    first, *others = sorted(scores, key=lambda model: -scores[model])
    kept, best = [first], scores[first]
    for model in others:
        _average([*kept, model], options.output)
        now = score(options.output)
        if now > best:
            kept, best = [*kept, model], now
    _average(kept, options.output)
    print(f"{options.output}: the mean of {', '.join(map(str, kept))}")


def _average(models: Sequence[Path], output: Path) -> None:
    """Write the first model with the mean of all weights, summed in float64."""
    trained = [TrainedModel.load(model, "cpu") for model in models]
    weights = [named_weights(one.model) for one in trained]
    with torch.no_grad():
        mean = {
            name: sum((own[name].double() for own in weights), start=torch.zeros(()).double())
            .div(len(weights))
            .to(weight.dtype)
            for name, weight in weights[0].items()
        }
        set_weights(trained[0].model, mean)
    trained[0].refresh()
    trained[0].save(output)


def _score(model: Path, data: str, metric: str) -> float:
    file = model.with_name(f"{model.name}-scores.json")
    command = [sys.executable, "-m", "transduce", "evaluate", str(model), f"data.test={data}"]
    subprocess.run([*command, "--json", str(file)], check=True, capture_output=True)
    found: float = json.loads(file.read_text(encoding="utf-8"))["metrics"][metric]
    return found


if __name__ == "__main__":
    main()
