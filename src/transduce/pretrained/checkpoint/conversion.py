"""What a family's file makes of a checkpoint, and how that becomes a trained model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from transduce.config import Config
from transduce.errors import ModelError, naming
from transduce.models.blueprint import blueprint
from transduce.models.storage import set_weights
from transduce.pretrained.checkpoint.banned import Banned, banned
from transduce.pretrained.checkpoint.generation import search_options
from transduce.pretrained.checkpoint.published_checkpoint import PublishedCheckpoint
from transduce.pretrained.checkpoint.published_vocabulary import Vocabulary
from transduce.reading.frames import FrameReader, frame_reader
from transduce.tokenization.imported import ImportedSymbols
from transduce.tokenization.numbering import Numbering
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.tokenizer_files import SideTokenizer
from transduce.workflow.trained import TrainedModel

__all__ = ["Conversion", "Side", "filled", "trained_model"]

# What teaches a model on that knows something already: small steps, and no long warm-up.
_TRAINING = {"learning_rate": 1e-4, "warmup_steps": 50, "average": "none"}


@dataclass(frozen=True)
class Side:
    """The symbols of one side: their numbers, and what stands before and after every text.

    ``forced``: an output begins with ``before``.
    """

    numbering: Numbering
    vocabulary: Vocabulary
    before: tuple[int, ...] = ()
    forced: bool = False
    after: tuple[int, ...] = ()

    def tokenizer(self, bans: Banned | None = None) -> Tokenizer:
        """The tokenizer in our numbering; ``bans`` are of what it writes."""
        bans = bans or Banned()
        return Tokenizer.imported(
            ImportedSymbols(
                self.vocabulary.pipeline,
                self.numbering,
                self.before,
                self.forced,
                self.vocabulary.hidden,
                self.vocabulary.entries,
                self.vocabulary.languages,
                their_banned_first=bans.first,
                after=self.after,
                their_forbidden=bans.phrases,
            )
        )


@dataclass(frozen=True)
class Conversion:
    """``model`` is the section of our config, ``weights`` are ours by name."""

    model: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    source: Side
    target: Side
    shared: bool = True
    data: Mapping[str, Any] = field(default_factory=dict)


def trained_model(checkpoint: PublishedCheckpoint, conversion: Conversion) -> TrainedModel:
    """The model with config and tokenizers, in evaluation mode. Raises ModelError."""
    source = conversion.source.tokenizer()
    target = conversion.target.tokenizer(banned(checkpoint, conversion.target.numbering))
    values = {
        "name": checkpoint.folder.resolve().name,
        "data": dict(conversion.data),
        "tokenizer": {
            "source": {"kind": "imported"},
            "target": {"kind": "imported"},
            "shared": conversion.shared,
        },
        "model": dict(conversion.model),
        "training": _TRAINING,
        "search": search_options(checkpoint),
    }
    trained = filled(checkpoint.folder, values, source, target, conversion.weights)
    trained.report = {"imported": {"family": checkpoint.family}}
    return trained


def filled(
    path: Path,
    values: Mapping[str, Any],
    source: SideTokenizer | FrameReader | None,
    target: SideTokenizer,
    weights: Mapping[str, Tensor],
) -> TrainedModel:
    """A model of the config ``values`` that is built for its weights, in evaluation mode.

    Without a ``source`` the config says how sources are read. Raises ModelError.
    """
    with naming(path):
        config = Config.from_mapping(values)
        reader = source or frame_reader(config.data)
        if reader is None:
            raise ModelError("config must say how sources are read")
        with blueprint(len(weights), path):
            trained = TrainedModel.fresh(config, reader, target)
        set_weights(trained.model, weights)
    trained.model.eval()
    return trained
