"""What is decoded: a model, written down for every system, and the sentences for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import peers_ctranslate2, peers_huggingface
from benchmarks.random_models import random_model, random_sources
from transduce.compress import shrunk
from transduce.config import ModelConfig
from transduce.errors import ConfigError
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import named_weights, save_weights
from transduce.reading.problems import Problems
from transduce.workflow.corpora.corpora import examples_from_files
from transduce.workflow.trained import TrainedModel

__all__ = ["Case", "random_case", "trained_case", "write_case"]

_WRITTEN = 30  # tokens that a random model writes, no more and no less


@dataclass(frozen=True)
class Case:
    """``sources`` holds token lists without END; ``texts`` turns outputs into scored text."""

    name: str
    model: Seq2Seq
    config: ModelConfig
    sources: list[list[int]]
    min_length: int
    max_length: int
    references: list[tuple[str, ...]] | None = None
    text: Callable[[list[int]], str] | None = None


def random_case(
    name: str, *, layers: int, width: int, feedforward: int, heads: int, size: int, count: int
) -> Case:
    """A post-norm Transformer that has learned nothing, and sources of 10 to 29 random tokens.

    All systems write 30 tokens.
    """
    stack = {
        "kind": "transformer",
        "layers": layers,
        "width": width,
        "feedforward": feedforward,
        "heads": heads,
        "norm_position": "post",
    }
    config = ModelConfig.model_validate({"encoder": stack, "decoder": stack})
    model, sources = random_model(config, size), random_sources(count, size)
    return Case(name, model, config, sources, _WRITTEN, _WRITTEN)


def trained_case(folder: Path, limit: int | None) -> Case:
    """A trained model with the first sources of its test set (all if ``limit`` is None)."""
    trained = TrainedModel.load(folder, "cpu")
    data = trained.config.data
    if data.test is None:
        raise ConfigError(f"data.test must name a file with pairs; got none in {folder}")
    examples = examples_from_files(data.test, data, Problems("stop"))[:limit]
    return Case(
        folder.name,
        trained.model,
        trained.config.model,
        trained.coders("")[0].encode_batch([example.source for example in examples]),
        0,
        trained.config.search.max_length,
        [example.references for example in examples],
        trained.coders("")[1].decode,
    )


def write_case(case: Case, folder: Path) -> dict[str, str]:
    """Write the weights in the form of every system.

    Gives the peers that cannot have them and why.
    """
    folder.mkdir(parents=True)
    sizes = [len(case.model.source_embedding.weight), len(case.model.target_embedding.weight)]
    description = {"model": case.config.model_dump(mode="json", by_alias=True), "sizes": sizes}
    (folder / "case.json").write_text(json.dumps(description), encoding="utf-8")
    weights = named_weights(case.model)
    save_weights(weights, folder / "model.safetensors")
    smaller = {name: shrunk(weight, "int8") for name, weight in weights.items()}
    save_weights(smaller, folder / "model.int8.safetensors")
    left_out = {}
    for name, peer in (("ctranslate2", peers_ctranslate2), ("huggingface", peers_huggingface)):
        if reason := peer.unfit(case.config):
            left_out[name] = reason
        else:
            peer.write(case.model, case.config, folder / name)
    return left_out
