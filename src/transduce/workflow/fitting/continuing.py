"""Training that goes on from a model: its architecture, weights and symbols, and new symbols.

``model: {from: PATH}`` takes all of them from a run, whatever language or task it learnt, or from a
published model. Symbols that the new data has and the old vocabulary does not are put
after it; each begins as the mean of the others, which is what a model is least surprised
by (Hewitt 2021), with a little noise to tell them apart. ``model: {encoder_from: PATH}`` takes
what reads sources alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from tokenizers import models
from torch import Tensor

from transduce.compress import floats_of
from transduce.config import Config, require_one_input
from transduce.config.data import InputConfig
from transduce.config.model import EncoderConfig
from transduce.errors import ConfigError, ModelError
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import named_weights, set_weights
from transduce.reading.frames import frame_reader
from transduce.tokenization.pipelines import SPECIALS, make_pipeline
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.corpora.survey import Tokenizers
from transduce.workflow.trained import TrainedModel

__all__ = ["FromEncoder", "FromModel", "require_same_input"]

_LISTED = ("character", "whitespace", "word")  # kinds whose symbols are a list that can grow
_NOISE = 0.1  # of the standard deviation of a table's entries
_SPECIAL = len(SPECIALS)
_KEPT = ("learning_rate", "warmup_steps", "average")  # of training, where the recipe says nothing


class FromModel:
    """A run begins with another model; one kind of ``Beginning``."""

    def __init__(self, base: TrainedModel) -> None:
        """Raises ModelError where its tokenizers belong to parts of a mixture."""
        if not isinstance(base.model, Seq2Seq):
            raise ModelError("model.from must be of a family with modules of ours")
        if base.model.frame_output is not None:
            raise ModelError(
                "model.from must be a model that writes; got one that guesses hidden frames: "
                "model.encoder_from takes its encoder"
            )
        self._base = base
        own = base.reader.tokenizer
        self._source = None if own is None else _plain(own)  # None: recordings, pictures
        self._target = _plain(base.target_tokenizer)

    def config(self, config: Config) -> Config:
        """A recipe with the base's model and tokenizers.

        Of its search, of how fast it learns and of how recordings and pictures are read, what the
        recipe does not say is the base's.
        Raises ConfigError where the recipe says another of its own.
        """
        base = self._base.config
        any_dropout = config.training.dropout is not None
        for section in ("model", "tokenizer"):
            _require_as_base(config, base, section, any_dropout)
        require_same_input(config, base, "model.from")
        start = {
            "from_": config.model.from_,
            "new_symbols": config.model.new_symbols,
            "encoder_from": None,  # where the base began is no matter any more
        }
        given = config.training.model_fields_set
        kept = {name: getattr(base.training, name) for name in _KEPT if name not in given}
        files = _merged(base.data.input, config.data.input)
        own = config.search.model_fields_set
        search = {f"search.{name}": getattr(config.search, name) for name in own}
        return config.model_copy(
            update={
                "model": base.model.model_copy(update=start),
                "tokenizer": base.tokenizer,
                "training": config.training.model_copy(update=kept),
                "search": base.updated(search).search,
                "data": config.data.model_copy(update={**self._prefix(config), "input": files}),
            }
        )

    def _prefix(self, config: Config) -> dict[str, str]:
        given = "source_prefix" in config.data.model_fields_set
        prefix = config.data.source_prefix if given else self._base.config.data.source_prefix
        return {"source_prefix": prefix}

    def tokenizers(self, config: Config, learn: Tokenizers | None) -> Tokenizers:
        """The base's, with what ``learn`` found in the data and ``model.new_symbols`` added."""
        own = config.model.new_symbols
        target = _extended(self._target, learn and learn[1], own)
        if self._source is None:
            return frame_reader(config.data) or self._base.source, target
        if config.tokenizer.shared and self._source.to_json() == self._target.to_json():
            return target, target
        return _extended(self._source, learn and learn[0], own), target

    @property
    def learns(self) -> bool:
        """Whether the data may bring new symbols."""
        kinds = {self._target.kind}
        if self._source is not None:
            kinds.add(self._source.kind)
        return kinds <= set(_LISTED)

    def grown(self, trained: TrainedModel) -> bool:
        """Whether it has more symbols than the base."""
        return _sizes(trained) != _sizes(self._base)

    def fill(self, trained: TrainedModel) -> list[str]:
        """Give a fresh model the base's weights. Raises ModelError where they do not fit."""
        stored = self._base.config.weights
        if stored != "float32":
            message = "model.from has %s weights: training goes on in float32"
            logging.getLogger("transduce").warning(message, stored)
        before = {name: floats_of(w) for name, w in named_weights(self._base.model).items()}
        own = dict(named_weights(trained.model))
        target = _origins(self._target, _plain(trained.target_tokenizer))
        rows: dict[str, list[int | None]] = {
            "target_embedding.weight": target,
            "output.weight": target,
            "output.bias": target,
            "ctc.project.weight": target,
            "ctc.project.bias": target,
        }
        if self._source is not None:
            source = _origins(self._source, _plain(trained.source))
            rows["source_embedding.weight"] = source
        for name in own:
            if name == "pointer.symbols":
                continue  # follows from the vocabularies
            if name not in before:
                raise ModelError(f"model.from must hold {name}; it does not")
            table = before[name]
            # CTC has for each symbol as many rows as positions, side by side.
            each = trained.config.model.ctc_positions if name.startswith("ctc.") else 1
            own[name] = _grown(table, rows[name], each) if name in rows else table
        with torch.no_grad():
            set_weights(trained.model, own)
        return []


class FromEncoder:
    """A run begins with the encoder of another model, and what stands before it; one kind of
    ``Beginning``. Targets, the decoder and all else are learnt anew.
    """

    learns = True

    def __init__(self, base: TrainedModel) -> None:
        """Raises ModelError where it has no encoder of ours, or sources of several tokenizers."""
        if not isinstance(base.model, Seq2Seq):
            raise ModelError("model.encoder_from must be of a family with modules of ours")
        self._base = base
        own = base.reader.tokenizer
        self._source = None if own is None else _plain(own, "model.encoder_from")

    def config(self, config: Config) -> Config:
        """A recipe with the base's encoder, and source tokenizer or frontend and how files are
        read; dropout and augmentation are the recipe's.

        Raises ConfigError where it says others.
        """
        base = self._base.config
        require_same_input(config, base, "model.encoder_from")
        for one in (config, base):
            require_one_input(one, "an encoder that is taken")
        if config.training.lora_rank is not None:
            raise ConfigError(
                "training.lora_rank must be none with model.encoder_from, whose decoder is new; "
                f"got {config.training.lora_rank}"
            )
        own, tokenizers = config.model, config.tokenizer
        encoder = own.encoder if "encoder" in own.model_fields_set else base.model.encoder
        frontend = own.frontend if "frontend" in own.model_fields_set else base.model.frontend
        said_source = "source" in tokenizers.model_fields_set
        source = tokenizers.source if said_source else base.tokenizer.source
        files = _merged(base.data.input, config.data.input)
        known = base.model
        for key, said, wanted in (
            ("model.encoder", _shape(encoder), _shape(known.encoder)),
            ("model.frontend", frontend, known.frontend),
            ("model.embedding_width", own.embedding_width, known.embedding_width),
            ("model.scale_embeddings", own.scale_embeddings, known.scale_embeddings),
            ("tokenizer.source", source, base.tokenizer.source),
            ("data.input", _frames_of(files), _frames_of(base.data.input)),
        ):
            if said != wanted:
                raise ConfigError(f"{key} must be that of model.encoder_from; got another")
        model = own.model_copy(update={"encoder": encoder, "frontend": frontend})
        taken = tokenizers.model_copy(update={"source": source})
        data = config.data.model_copy(update={"input": files})
        return config.model_copy(update={"model": model, "tokenizer": taken, "data": data})

    def tokenizers(self, config: Config, learn: Tokenizers | None) -> Tokenizers:
        """The base's for sources, with the new symbols that ``learn`` found; ``learn``'s for
        targets, unless both sides share one.
        """
        if learn is None:
            raise ValueError("tokenizers of targets must have been learnt")
        if self._source is None:
            return learn
        source = _extended(self._source, learn[0], ())
        return source, source if config.tokenizer.shared else learn[1]

    def grown(self, trained: TrainedModel) -> bool:
        """False: much else is new, too."""
        return False

    def fill(self, trained: TrainedModel) -> list[str]:
        """Give a fresh model the base's encoder. Raises ModelError where it does not fit."""
        before = {name: floats_of(w) for name, w in named_weights(self._base.model).items()}
        own = dict(named_weights(trained.model))
        rows: list[int | None] = []
        if self._source is not None:
            now = _plain(trained.source_tokenizer, "model.encoder_from")
            rows = _origins(self._source, now)
        taken = 0
        for name in own:
            if name == "source_embedding.weight":
                own[name] = _grown(before[name], rows)
            elif name.startswith(("encoder.", "frontend.")):
                if name not in before:
                    raise ModelError(f"model.encoder_from must hold {name}; it does not")
                own[name] = before[name]
            else:
                continue
            taken += own[name].numel()
        with torch.no_grad():
            set_weights(trained.model, own)
        new, all_weights = rows.count(None), sum(w.numel() for w in own.values())
        before_it, symbols = "frontend", ""
        if self._source is not None:
            before_it = "source embedding"
            symbols = f"; {new:,} of {len(rows):,} source symbols are new"
        return [
            f"from {self._base.config.name}: encoder and {before_it}, {taken:,} of "
            f"{all_weights:,} weights{symbols}"
        ]


def _shape(encoder: EncoderConfig) -> dict[str, object]:
    """All but dropout, which is no matter of weights."""
    return encoder.model_dump(exclude={"dropout", "attention_dropout"})


def _frames_of(files: InputConfig) -> dict[str, object]:
    """All that files become frames by; what augmentation does to them is no matter of weights."""
    return files.model_dump(exclude={"augmentation"})


def _merged(base: InputConfig, own: InputConfig) -> InputConfig:
    """The base's options, with those that a recipe says."""
    said = {name: getattr(own, name) for name in own.model_fields_set}
    merged: InputConfig = base.model_copy(update=said)
    return merged


def require_same_input(config: Config, other: Config, key: str) -> None:
    """Raise ConfigError where the model that ``key`` names reads other sources than the recipe."""
    own, wanted = config.data.input.kind, other.data.input.kind
    if own != wanted:
        raise ConfigError(f"data.input.kind must be {wanted}, as of {key}; got {own}")


def _sizes(trained: TrainedModel) -> list[int]:
    names = ("source_embedding.weight", "target_embedding.weight")
    return [len(w) for name, w in trained.model.named_parameters() if name in names]


def _plain(side: object, key: str = "model.from") -> Tokenizer:
    if isinstance(side, Tokenizer):
        return side
    raise ModelError(
        f"{key} must have one tokenizer a side; got a mixture whose parts have their own"
    )


def _require_as_base(config: Config, base: Config, section: str, any_dropout: bool) -> None:
    """Raise ConfigError for an option of the model or tokenizers that is not the base's.

    A recipe may say what the base was trained with, so one recipe serves for both; rates of dropout
    are left out where ``training.dropout`` takes their place.
    """
    ignored = {"encoder": {"dropout"}, "decoder": {"dropout"}} if any_dropout else None
    given = getattr(config, section).model_fields_set - {"from_", "new_symbols", "preset"}
    own, there = (getattr(one, section).model_dump(exclude=ignored) for one in (config, base))
    for name in sorted(given):
        if own[name] != there[name]:
            raise ConfigError(
                f"{section}.{name} must be that of model.from: leave it out, or say the same"
            )


def _extended(base: Tokenizer, learnt: object, own: Sequence[str]) -> Tokenizer:
    """The base's symbols, then what is new."""
    if base.kind == "imported":
        return base.with_symbols(own)
    if base.kind not in _LISTED:
        if own:
            raise ConfigError(
                f"model.new_symbols must be none for a tokenizer of kind {base.kind}; got {own[0]}"
            )
        return base
    plain = list(base.entries[: base.first_tag])
    tags = set(base.tags)
    if isinstance(learnt, Tokenizer):
        plain += learnt.entries[_SPECIAL : learnt.first_tag]
        tags |= set(learnt.tags)
    plain = list(dict.fromkeys([*plain, *own]))
    if len(plain) == base.first_tag and tags == set(base.tags):
        return base
    numbers = {entry: number for number, entry in enumerate(plain)}
    model = models.WordLevel(numbers, unk_token=SPECIALS[1])
    return Tokenizer(make_pipeline(model, base.config, sorted(tags)), base.config)


def _origins(base: Tokenizer, now: Tokenizer) -> list[int | None]:
    """For each number now the base's number of the same symbol, None for a new one."""
    if base.kind == "imported":
        return base.origins(now)
    before = {entry: number for number, entry in enumerate(base.entries)}
    return [before.get(entry) for entry in now.entries]


def _grown(table: Tensor, origins: Sequence[int | None], each: int = 1) -> Tensor:
    """Rows ``[V', …]`` from ``[V, …]``: the same symbols' as they were, new ones near the mean.

    A symbol has ``each`` rows, one after the other.
    """
    if each > 1:
        return _grown(table.reshape(-1, each, *table.shape[1:]), origins).flatten(0, 1)
    ordinary = table[_SPECIAL:]
    mean, spread = ordinary.mean(0), ordinary.std() * _NOISE
    rows = [
        mean + (spread * torch.randn_like(mean) if mean.ndim else 0)
        if origin is None
        else table[origin]
        for origin in origins
    ]
    return torch.stack(rows)
