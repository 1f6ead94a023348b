"""What a family's file makes of a checkpoint, and how that becomes a trained model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from transduce.config import Config
from transduce.data.imported import ImportedSymbols
from transduce.data.numbering import Numbering
from transduce.data.tokenizer import Tokenizer
from transduce.errors import ConfigError, ModelError
from transduce.models.storage import set_weights
from transduce.pipeline.trained import TrainedModel
from transduce.pretrained.banned import Banned, banned
from transduce.pretrained.folder import Checkpoint
from transduce.pretrained.generation import search_options
from transduce.pretrained.vocabulary import Vocabulary

__all__ = ["Conversion", "Side", "trained_model"]

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
                not_first=bans.first,
                after=self.after,
                never=bans.phrases,
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


def trained_model(checkpoint: Checkpoint, conversion: Conversion) -> TrainedModel:
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
    try:
        trained = TrainedModel.fresh(Config.from_mapping(values), source, target)
        with torch.no_grad():
            set_weights(trained.model, conversion.weights)
    except (ConfigError, ModelError) as error:
        raise ModelError(f"{checkpoint.folder}: {error}") from None
    trained.model.eval()
    trained.report = {"imported": {"family": checkpoint.family}}
    return trained
