"""What the page has to know of a model: what it reads, what may be asked, what it is called."""

from __future__ import annotations

from typing import Any

from transduce.config import SearchConfig
from transduce.errors import TransduceError
from transduce.models.seq2seq import Seq2Seq
from transduce.reading.parts import parts_of
from transduce.server.limits.serve_config import ServeConfig
from transduce.server.queue.requested import Requested
from transduce.server.shelf.language_pairs import LanguagePairs
from transduce.server.shelf.loaded_model import LoadedModel
from transduce.tokenization.joint import coder
from transduce.workflow.asked_details import attends

__all__ = ["limits_told", "model_facts"]

_OF_SENTENCES = ("word", "bpe", "unigram", "imported")  # who cuts into these has read sentences


def limits_told(config: ServeConfig) -> dict[str, Any]:
    """Those that a person meets."""
    names = ("characters", "sources", "sound_seconds", "pixels", "body_bytes", "beam")
    return {name: getattr(config, name) for name in (*names, "alternatives")}


def model_facts(model: LoadedModel, config: ServeConfig) -> dict[str, Any]:
    """``sentences``: whether texts are to be cut into these. ``joins``: what stands between two
    tokens of an output in its text. ``can``: what may be asked of it.
    """
    trained = model.trained
    pairs = LanguagePairs.of(model)
    part = next(iter(parts_of(trained.config)))
    target = coder(trained.target_tokenizer, part)
    text = model.kind == "text"
    source = coder(trained.source_tokenizer, part).config.kind if text else ""
    search = trained.config.search
    return {
        "name": model.name,
        "kind": model.kind,
        "parts": list(model.parts),
        "languages": list(pairs.codes),
        "source_language": pairs.source,
        "target_language": pairs.target,
        "sentences": source in _OF_SENTENCES,
        "target_tokens": target.config.kind,
        "right_to_left": target.config.right_to_left,
        "beam": min(search.beam, config.beam),
        "alternatives": min(5, config.alternatives),
        "methods": _methods(model),
        "can": {
            "confidence": _may(model, search, confidence=True),
            "timings": _may(model, search, timings=True),
        },
    }


def _methods(model: LoadedModel) -> list[str]:
    """Those that the page offers, the quickest first; of many, one of each kind."""
    if model.trained.goes_on:
        return []
    attention = ["attention"] if attends(model.trained) else []
    gradients = ["integrated-gradients"] if isinstance(model.trained.model, Seq2Seq) else []
    return [*attention, "occlusion", "lime", *gradients]


def _may(
    model: LoadedModel, search: SearchConfig, *, confidence: bool = False, timings: bool = False
) -> bool:
    """Whether the model has what this needs."""
    try:
        model.require(Requested(search, confidence=confidence, timings=timings))
    except TransduceError:
        return False
    return True
