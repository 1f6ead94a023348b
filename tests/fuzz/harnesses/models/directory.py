"""A directory of ours: its files damaged, with their checksums as they were, without, or redone."""

from __future__ import annotations

import contextlib
import hashlib
import io
from pathlib import Path
from random import Random

from fuzz.feeding.models import ask, require_undamaged, saved_model
from fuzz.feeding.options import WORDS
from fuzz.feeding.pipelines import STEPS
from fuzz.harness import Files, Harness, lay
from fuzz.mutations.tensors import tensor_file
from fuzz.mutations.text import text
from fuzz.mutations.values import json_with
from fuzz.mutations.yaml import yaml_with
from transduce.commands.show import show
from transduce.pretrained.published_model import load_trained

_SUMS = "SHA256SUMS"


def _samples() -> list[Files]:
    floats = [saved_model(kind) for kind in ("gru", "transformer", "copy", "speech", "picture")]
    return [*floats, saved_model("transformer", "int8"), saved_model("speech", "int4")]


def feed(files: Files, folder: Path) -> object:
    """Load, answer, describe."""
    lay(files, folder)
    trained = load_trained(folder, "cpu")
    require_undamaged(files, "model.safetensors", "shortlist.safetensors", "target.tokenizer.json")
    if trained.config.data.input.kind == "text":
        require_undamaged(files, "source.tokenizer.json")
    answer = ask(trained)
    with contextlib.redirect_stdout(io.StringIO()):
        show(folder)
    return answer


def _other_files(chance: Random, files: Files) -> Files:
    """A file gone, emptied, or that of another model; files that nobody expects."""
    names = sorted(files)
    name = chance.choice(names)
    match chance.randrange(6):
        case 0:
            return {k: v for k, v in files.items() if k != name}
        case 1:
            return {**files, name: b""}
        case 2:
            other = chance.choice(HARNESSES[0].valid)
            return {**files, name: other.get(name, files[name])}
        case 3:
            return {**files, name: files[chance.choice(names)]}
        case 4:
            return {**files, f".committed/{name}": files[name], "config.json": b"{}"}
        case _:
            return {**files, "published/config.json": b"{}", f"{name}.part": b"x"}


def _signed(chance: Random, files: Files) -> Files:
    """Sums that are true of the damaged files, so that what is behind them is reached."""
    if chance.random() < 0.3:
        return _other_files(chance, files)
    lines = [
        f"{hashlib.sha256(data).hexdigest()}  {name}\n"
        for name, data in sorted(files.items())
        if name not in (_SUMS, "report.json")
    ]
    return {**files, _SUMS: "".join(lines).encode()}


_MUTATIONS = {
    "config.yaml": yaml_with(*WORDS),
    "*.tokenizer.json": json_with(*STEPS),
    "model.safetensors": tensor_file,
    "shortlist.safetensors": tensor_file,
    "report.json": json_with(),
    _SUMS: text,
}

HARNESSES = [
    Harness("model-directory", _samples, _MUTATIONS, feed, quick=8, whole=_other_files),
    Harness(
        "model-without-sums",
        lambda: [{k: v for k, v in files.items() if k != _SUMS} for files in _samples()],
        _MUTATIONS,
        feed,
        quick=10,
        whole=_signed,
    ),
]
