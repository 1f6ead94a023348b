"""The table of results, from the model directories themselves.

    transduce evaluate runs/g2p-hun        # once for each, stores the test scores
    python -m benchmarks.results runs/*

Prints one Markdown row a directory: recipe, architecture, parameters, minutes and threads of
training, test scores, seed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.zoo.architecture import architecture
from transduce.config import Config, load_config

SHOWN = {
    "wer": "WER {:.2f} %",
    "per": "PER {:.2f} %",
    "exact_match": "accuracy {:.2f} %",
    "cer": "CER {:.2f} %",
    "bleu": "BLEU {:.2f}",
    "chrf": "chrF {:.2f}",
    "rougeL": "ROUGE-L {:.2f}",
}


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    print("| run | recipe | architecture | parameters | minutes × threads | test | seed |")
    print("|---|---|---|---:|---:|---|---:|")
    for run in parser.parse_args().runs:
        report = json.loads((run / "report.json").read_text(encoding="utf-8"))
        print(_row(run.name, load_config(run / "config.yaml"), report))


def _row(name: str, config: Config, report: dict[str, Any]) -> str:
    training = report["training"]
    metrics = report.get("test", {}).get("metrics", {})
    # The pronunciation literature's WER is 100 - accuracy: one of the two is enough.
    hidden = "exact_match" if config.target_kind == "whitespace" else "wer"
    scores = [text.format(metrics[k]) for k, text in SHOWN.items() if k in metrics and k != hidden]
    return (
        f"| {name} | {config.name} | {architecture(config)} "
        f"| {sum(report['parameters'].values()):,} "
        f"| {training['minutes']:.1f} × {training['threads']} "
        f"| {', '.join(scores) or 'not evaluated'} | {config.training.seed} |"
    )


if __name__ == "__main__":
    main()
