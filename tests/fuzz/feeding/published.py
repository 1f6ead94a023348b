"""Tiny published models, as the tests of imports write them, and what is asked of them."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from fuzz.feeding.models import ask, files_in
from fuzz.feeding.pipelines import STEPS
from fuzz.harness import Files, Harness, Mutation, WrongAnswerError, lay
from fuzz.mutations.octets import octets
from fuzz.mutations.pickled import pickled_archive
from fuzz.mutations.protobuf import protobuf
from fuzz.mutations.tensors import tensor_file
from fuzz.mutations.text import text
from fuzz.mutations.values import json_with
from transduce.pretrained.published_model import read_pretrained
from transduce.tasks import pipeline

__all__ = ["OPTIONS", "harness_of", "written"]

_TESTS = Path(__file__).resolve().parents[2]
sys.path += [str(_TESTS / "pretrained"), str(_TESTS / "export")]  # who writes such models

OPTIONS = "options.json"  # languages, and whether pickles are read

_CONFIG = json_with(
    *("t5", "bart", "mbart", "marian", "m2m_100", "pegasus", "whisper", "gpt2", "bert", "led"),
    *("encoder-decoder", "vision-encoder-decoder", "relu", "gelu", "gelu_new", "swish", "silu"),
    *("gated-gelu", "float16", "../x", "model.safetensors", "pytorch_model.bin", [[1]], [[0, 1]]),
    *({"auto_map": {"AutoConfig": "evil.C"}}, {"quant_method": "x"}, [[1, 2], [3]], 32, 64, 16, 4),
)
_TOKENIZER = json_with(*STEPS, "en", "__en__", "eng_Latn", "<mask>", "fr_XX", ">>fra<<")
_MUTATIONS: dict[str, Mutation] = {
    OPTIONS: json_with("en", "fr", "de", "auto", "eng_Latn", "en_XX"),
    "*tokenizer.json": _TOKENIZER,
    "*config.json": _CONFIG,
    "*.safetensors": tensor_file,
    "*.bin": pickled_archive,
    "*.spm": protobuf,
    "*.model": protobuf,
    "*.json": _TOKENIZER,
    "*.txt": text,
    "*": octets,
}


def written(write: Callable[[Path], Any], **options: Any) -> Files:
    """The files that a writer makes, and the options to read them with."""
    logging.getLogger("transduce").setLevel(logging.CRITICAL)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as home, contextlib.redirect_stderr(None):
        write(Path(home))
        return {**files_in(Path(home)), OPTIONS: json.dumps(options).encode()}


def feed(files: Files, folder: Path, *, name: str = "", task: bool = False) -> object:
    """Read, answer; ``name`` is that of the file where a model is one."""
    lay({k: v for k, v in files.items() if k != OPTIONS}, folder)
    options = _options(files)
    trained = read_pretrained(folder / name, device="cpu", **options)
    for weight, tensor in trained.model.named_parameters():
        if not torch.isfinite(tensor).all():
            raise WrongAnswerError(f"{weight} must hold finite numbers")
    answer = ask(trained)
    if task:
        made = pipeline("text2text-generation", folder, device="cpu")
        made("hello", max_length=5, num_beams=2)
    return answer


def _options(files: Files) -> dict[str, Any]:
    try:
        values = json.loads(files.get(OPTIONS, b"{}"))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(values, dict):
        return {}
    kinds = {"source_language": str, "target_language": str, "legacy_weights": bool}
    return {k: v for k, v in values.items() if k in kinds and isinstance(v, kinds[k])}


def harness_of(
    name: str,
    samples: Callable[[], Sequence[Files]],
    *,
    needs: tuple[str, ...] = ("transformers", "sentencepiece"),
    quick: int = 5,
    own: dict[str, Mutation] | None = None,
    task: bool = False,
    file: str = "",
) -> Harness:
    """A harness of imports; ``own`` mutations come before those that all have."""
    return Harness(
        name,
        samples,
        {**(own or {}), **_MUTATIONS},
        partial(feed, task=task, name=file),
        quick=quick,
        needs=needs,
    )
