"""A run that is resumed: its checkpoint, log and config damaged."""

from __future__ import annotations

import hashlib
import logging
import re
import tempfile
from functools import cache
from pathlib import Path
from random import Random

import transduce.training.run as run_module
from fuzz.feeding.models import files_in
from fuzz.feeding.options import WORDS
from fuzz.harness import Files, Harness, WrongAnswerError, lay
from fuzz.mutations.tensors import tensor_file
from fuzz.mutations.text import text
from fuzz.mutations.values import json_lines, json_with
from fuzz.mutations.yaml import yaml_with
from transduce.config import Config
from transduce.workflow.corpora.corpora import Corpora
from transduce.workflow.corpora.in_memory import corpora_of
from transduce.workflow.fitting.fit import fit

_SUMS = "SHA256SUMS"
_WORDS = ["abc", "ba", "cab", "bca", "a", "bb", "acb", "ca", "bac", "cc"] * 2
_RECURRENT = {"kind": "gru", "width": 4, "dropout": 0.1}


def _config(steps: int) -> Config:
    return Config.from_mapping(
        {
            "model": {"encoder": _RECURRENT, "decoder": _RECURRENT},
            "training": {
                "max_steps": steps,
                "batch_tokens": 32,
                "evaluate_every": 1,
                "checkpoint_every": 1,
                "precision": "float32",
                "average": "ema",
                "warmup_steps": 1,
            },
            "search": {"max_length": 4},
            "engine": "reference",
        }
    )


@cache
def _corpora() -> Corpora:
    targets = [word[::-1] for word in _WORDS]
    return corpora_of(_config(1), _WORDS, targets, None, (["ab", "c"], ["ba", "c"]), 0.1)


@cache
def _run() -> Files:
    logging.getLogger("transduce").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as home:
        fit(_config(2), _corpora(), Path(home) / "run")
        return files_in(Path(home) / "run")


def _not_drawn(log: object, picture: object, metric: str = "loss") -> bool:
    return False


def _checkpoint(files: Files) -> str:
    """The folder of the newest checkpoint."""
    folders = {name.rpartition("/")[0] for name in files}
    return max((f for f in folders if re.fullmatch(r".*checkpoint-\d{8,}", f)), default="")


def feed(files: Files, folder: Path) -> object:
    """Resume for a step more."""
    lay(files, folder)
    run_module.plot_run = _not_drawn  # the log's own harness draws
    trained = fit(_config(3), _corpora(), folder, resume=True)
    steps = trained.report["training"]["steps"]
    newest = _checkpoint(files)
    sums = files.get(f"{newest}/{_SUMS}", b"").decode("utf-8", "replace")
    for name, data in files.items():
        inner = name.removeprefix(f"{newest}/")
        known = [line[:64] for line in sums.split("\n") if line[66:] == inner and len(line) > 66]
        if known and hashlib.sha256(data).hexdigest() not in known:
            raise WrongAnswerError(f"a run that goes on from {name}, which is damaged")
    return steps


def _other_files(chance: Random, files: Files) -> Files:
    """Files gone or emptied, checkpoints with names of their own, sums that are true."""
    newest = _checkpoint(files)
    name = chance.choice(sorted(files))
    match chance.randrange(6):
        case 0:
            return {k: v for k, v in files.items() if k != name}
        case 1:
            return {**files, name: b""}
        case 2:
            other = chance.choice(["00000009", "99999999999999999999", "00000002x", "0"])
            moved = f"training/checkpoint-{other}"
            return {k.replace(newest, moved) if newest else k: v for k, v in files.items()}
        case 3:
            return {k: v for k, v in files.items() if k != f"{newest}/{_SUMS}"}
        case _:
            inside = {k: v for k, v in files.items() if newest and k.startswith(newest)}
            lines = [
                f"{hashlib.sha256(data).hexdigest()}  {k.rpartition('/')[2]}\n"
                for k, data in sorted(inside.items())
                if not k.endswith(_SUMS)
            ]
            return {**files, f"{newest}/{_SUMS}": "".join(lines).encode()}


HARNESSES = [
    Harness(
        name,
        lambda unsigned=unsigned: [
            {k: v for k, v in _run().items() if not (unsigned and k.endswith(_SUMS))}
        ],
        {
            "*.safetensors": tensor_file,
            "*/state.json": json_with(0, 1, 2, 3, 1e9),
            "*/log.jsonl": json_lines,
            "config.yaml": yaml_with(*WORDS),
            "*.tokenizer.json": json_with(),
            "report.json": json_with(),
            f"*{_SUMS}": text,
        },
        feed,
        quick=3,
        whole=_other_files,
    )
    for name, unsigned in (("resumed-run", False), ("resumed-without-sums", True))
]
