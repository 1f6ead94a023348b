"""Tiny models that nobody trained, saved, and what is asked of one that was read."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fuzz.feeding.texts import TEXTS
from fuzz.harness import Files, WrongAnswerError
from transduce.config import Config, SearchConfig, WeightNumber
from transduce.reading.frames import FrameReader, frame_reader
from transduce.search import Shortlist
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.shrinking import shrink
from transduce.workflow.trained import TrainedModel

__all__ = ["SENTENCES", "ask", "files_in", "require_undamaged", "saved_model"]

SENTENCES = ["the cat sat", "a dog ran fast", "cats and dogs ⟪PL⟫", "bread, and cheese"] * 3
_RECURRENT = {"kind": "gru", "width": 8, "dropout": 0.0}
_TRANSFORMER = {
    "kind": "transformer",
    "layers": 1,
    "width": 8,
    "feedforward": 8,
    "heads": 2,
    "max_positions": 300,
    "dropout": 0.0,
}
_LINE = re.compile(rb"([0-9a-f]{64}) [ *]([^\\]+)")

# One after the other: a recipe's sections and the kinds of both tokenizers.
_MODELS: dict[str, dict[str, Any]] = {
    "gru": {"model": {"encoder": _RECURRENT, "decoder": _RECURRENT}},
    "transformer": {"model": {"encoder": _TRANSFORMER, "decoder": _TRANSFORMER, "tie": "all"},
                    "tokenizer": {"shared": True}},
    "copy": {"model": {"encoder": {**_RECURRENT, "kind": "lstm", "layers": 2},
                       "decoder": {**_RECURRENT, "kind": "lstm", "attention": "additive"},
                       "copy": True},
             "tokenizer": {"source": {"kind": "bpe", "vocabulary_size": 290},
                           "target": {"kind": "bpe", "vocabulary_size": 290}}},
    "speech": {"data": {"input": {"kind": "audio", "sampling_rate": 4000, "mel_bins": 6}},
               "model": {"frontend": {"kind": "convolution", "kernel": 3, "strides": [2]},
                         "encoder": _TRANSFORMER,
                         "decoder": {**_TRANSFORMER, "positions": "learned"}, "ctc": True}},
    "picture": {"data": {"input": {"kind": "image", "height": 8}},
                "model": {"frontend": {"kind": "patches", "patch_height": 4, "patch_width": 4},
                          "encoder": _RECURRENT, "decoder": _RECURRENT}},
}  # fmt: skip


def saved_model(kind: str, weights: WeightNumber = "float32") -> Files:
    """The directory of a model, with checksums and a report."""
    config = Config.from_mapping(_MODELS[kind])
    torch.manual_seed(1)
    source: Tokenizer | FrameReader | None = frame_reader(config.data)
    if source is None:
        source = Tokenizer.train(SENTENCES, config.tokenizer.source, ["⟪PL⟫"])
    target = Tokenizer.train(SENTENCES, config.target_tokenizer, ["⟪PL⟫"])
    if config.tokenizer.shared:
        source = target
    trained = TrainedModel.fresh(config, source, target)
    trained.report = {
        "name": kind,
        "created": "2020-01-01",
        "versions": {"python": "3"},
        "training": {"steps": 3, "best": {"loss": 1.5}, "history": [{"step": 1, "loss": 2.0}]},
        "test": {"exact_match": 50.0},
    }
    if kind in ("gru", "copy"):
        sizes, known = np.arange(trained.reader.width + 1), target.size
        trained.shortlist = Shortlist(sizes * 2, sizes[:-1].repeat(2) % known, sizes[:9], known)
    with tempfile.TemporaryDirectory() as home:
        if weights != "float32":
            trained = shrink(trained, weights)
        trained.save(Path(home) / "model")
        return files_in(Path(home) / "model")


def files_in(folder: Path) -> Files:
    """All files below a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def ask(trained: TrainedModel) -> object:
    """Answers to a few sources; all numbers that come with them are numbers."""
    options = SearchConfig(beam=2, max_length=5)
    sources: list[Any] = TEXTS[:3]
    if isinstance(trained.source, FrameReader):
        kind = trained.config.data.input.kind
        shape = (6, 20, 3) if trained.config.data.input.kind == "image" else (1500,)
        sources = [np.random.default_rng(0).uniform(0, 0.9, shape).astype(np.float32)]
        if kind == "audio":
            sources = [(sources[0], 4000)]
    part = next(iter(trained.config.data.parts or {}), None)
    options = options.model_copy(update={"shortlist": trained.shortlist is not None})
    outputs = list(trained.predict(sources, options, part=part))
    for found in outputs:
        for output in found:
            output.text.encode()
            if not np.isfinite([output.score, output.log_probability, *output.token_scores]).all():
                raise WrongAnswerError(f"an answer without a number: {output}")
    return trained.config.model.encoder.kind, [len(output[0].tokens) for output in outputs]


def require_undamaged(files: Files, *names: str) -> None:
    """Raise WrongAnswerError where an answer came of files that the sums call damaged."""
    sums = {
        match[2].decode("utf-8", "replace"): match[1].decode()
        for line in files.get("SHA256SUMS", b"").split(b"\n")
        if (match := _LINE.fullmatch(line))
    }
    for name in names:
        known = sums.get(name)
        if known and name in files and hashlib.sha256(files[name]).hexdigest() != known:
            raise WrongAnswerError(f"an answer from {name}, whose checksum is another")
