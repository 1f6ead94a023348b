"""One language, all architectures, the same minutes and batches: what each idea brings.

    python -m benchmarks.architectures --train hun_train.tsv --dev hun_dev.tsv \
        --test hun_test.tsv --minutes 1

Prints a Markdown table: parameters, target symbols a second in training, dev and test
scores. Recurrent models are of width 256 with one layer and an encoder in both directions,
Transformers are ``transformer-tiny``, but for what the row names; nothing else differs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from transduce.config import Config
from transduce.reading.problems import Problems
from transduce.workflow.corpora.corpora import examples_from_files, open_corpora
from transduce.workflow.evaluate import evaluate
from transduce.workflow.fitting.fit import fit

WIDTH = 256


def models() -> dict[str, dict[str, Any]]:
    """All model sections by the name in the table."""
    found: dict[str, dict[str, Any]] = {}
    for kind in ("rnn", "lstm", "gru"):
        for attention in ("none", "general"):
            found[f"{kind}, attention {attention}"] = _recurrent(kind, attention=attention)
    for attention in ("dot", "additive", "cosine", "multihead"):
        found[f"lstm, attention {attention}"] = _recurrent("lstm", attention=attention)
    found["lstm, general, input feeding"] = _recurrent("lstm", input_feeding=True)
    found["lstm, general, two layers"] = _recurrent("lstm", layers=2)
    found["lstm, general, encoder in one direction"] = {
        "encoder": {**_stack("lstm"), "bidirectional": False},
        "decoder": _stack("lstm"),
    }
    found["Transformer"] = {"preset": "transformer-tiny"}
    for change in (
        {"norm_position": "post"},
        {"norm": "rms", "activation": "swiglu"},
        {"positions": "learned"},
        {"positions": "rotary"},
        {"positions": "relative"},
        {"positions": "none"},
    ):
        name = ", ".join(f"{key} {value}" for key, value in change.items()).replace("_", " ")
        found[f"Transformer, {name}"] = {
            "preset": "transformer-tiny",
            "encoder": change,
            "decoder": change,
        }
    transformer = {"kind": "transformer", "width": 128, "feedforward": 512, "layers": 2}
    found["Transformer encoder, gru decoder"] = {
        "encoder": transformer,
        "decoder": _stack("gru"),
    }
    return found


def main() -> None:
    """Train and score one model after another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("train", "dev", "test"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--only", nargs="*", help="names of the table to run")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    print("| model | parameters | symbols/s | dev WER % | test WER % | test PER % |", flush=True)
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    for name, model in models().items():
        if arguments.only and name not in arguments.only:
            continue
        row = _measure(name, model, arguments)
        rows.append(row)
        print(
            f"| {name} | {row['parameters']:,} | {row['rate']:,.0f} | {row['dev_wer']:.1f} "
            f"| {row['wer']:.1f} | {row['per']:.1f} |",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2, ensure_ascii=False))


def _measure(name: str, model: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    config = Config.from_mapping(
        {
            "data": {"train": str(arguments.train), "dev": str(arguments.dev)},
            "tokenizer": {"source": {"kind": "character"}, "target": {"kind": "whitespace"}},
            "model": model,
            "training": {
                "max_minutes": arguments.minutes,
                "batch_tokens": 1024,
                "metric": "exact_match",
            },
            "search": {"beam": 4, "max_length": 64},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        trained = fit(config, open_corpora(config), Path(folder) / "run")
    dev = evaluate(
        trained, examples_from_files(arguments.dev, config.data, Problems("stop"))
    ).report.metrics
    test = evaluate(
        trained, examples_from_files(arguments.test, config.data, Problems("stop"))
    ).report.metrics
    return {
        "name": name,
        "parameters": sum(trained.parameters_by_module().values()),
        "rate": trained.report["training"]["tokens_per_second"],
        "dev_wer": dev["wer"],
        "wer": test["wer"],
        "per": test["per"],
    }


def _stack(kind: str) -> dict[str, Any]:
    return {"kind": kind, "width": WIDTH, "layers": 1, "dropout": 0.2}


def _recurrent(kind: str, layers: int = 1, **decoder: Any) -> dict[str, Any]:
    stack = {**_stack(kind), "layers": layers}
    return {"encoder": stack, "decoder": {**stack, **decoder}}


if __name__ == "__main__":
    main()
