"""Transduce as the decoding benchmark sees it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from benchmarks.machine import kernel_architecture
from transduce.config import EngineChoice, ModelConfig, SearchConfig
from transduce.engine import fast_stepper
from transduce.interfaces import Stepper
from transduce.models.blueprint import blueprint
from transduce.models.build import build_model
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import read_weights
from transduce.search import decode_all
from transduce.untrusted.tensors import TensorFile

__all__ = ["Ours", "our_stepper"]


def our_stepper(model: Seq2Seq, engine: str) -> Stepper[Any]:
    """What search runs: the form of the model that ``engine`` names.

    A cap on the processor holds for our own kernels too: they are compiled for what is left.
    """
    return fast_stepper(model, cast(EngineChoice, engine), architecture=kernel_architecture())


class Ours:
    """A model in the directory that ``decode_cases.write_case`` wrote, ready to decode.

    ``engine`` is a choice of engine, or ``shrunk``: the weights that are stored as int8.
    """

    def __init__(self, folder: Path, engine: str) -> None:
        description = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        config, shrunk = ModelConfig.model_validate(description["model"]), engine == "shrunk"
        with TensorFile(folder / f"model.{'int8.' if shrunk else ''}safetensors") as file:
            with blueprint(len(file.entries), folder):  # as model directories are read
                model = build_model(config, *description["sizes"])
            read_weights(model, file, "int8" if shrunk else "float32")
        self._stepper = our_stepper(model.eval(), "auto" if shrunk else engine)

    def decode(
        self, sources: Sequence[Sequence[int]], beam: int, min_length: int, max_length: int
    ) -> list[list[int]]:
        """The best output of each source."""
        options = SearchConfig(beam=beam, min_length=min_length, max_length=max_length)
        found = decode_all(self._stepper, sources, options, window=len(sources))
        return [list(best.tokens) for best, *_ in found]
