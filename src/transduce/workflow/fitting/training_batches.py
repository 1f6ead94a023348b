"""The batches that a recipe trains on, and what each epoch changes of them."""

from __future__ import annotations

from collections.abc import Iterator

from transduce.batches.batching import Batches
from transduce.batches.changes.changed_batches import BatchChange, ChangedBatches
from transduce.batches.changes.masked_spans import MaskedSpans
from transduce.batches.changes.subword_sampling import SampledSources, SampledTargets
from transduce.batches.changes.switched_tokens import HiddenTokens, SwitchOut
from transduce.batches.changes.tag_order import TagOrder
from transduce.batches.mixture_sampler import MixtureSampler
from transduce.errors import ConfigError
from transduce.reading.parts import parts_of
from transduce.tokenization.sampling.subword_sampler import SubwordSampler
from transduce.tokenization.tokenizer import Tokenizer
from transduce.training.inputs import BatchStream
from transduce.workflow.fitting.pair_limits import target_positions
from transduce.workflow.predicting.source_limits import longest_source
from transduce.workflow.readers.source_reader import Corpus
from transduce.workflow.tokenizer_files import SideTokenizer
from transduce.workflow.trained import TrainedModel

__all__ = ["masking", "training_batches"]


def training_batches(
    corpus: Corpus, trained: TrainedModel, sampler: MixtureSampler | None
) -> BatchStream:
    """Batches of a corpus, or of what ``sampler`` draws of it in each epoch.

    Raises ConfigError where sources have no tags to shuffle or tokenizers no pieces to choose.
    """
    training = trained.config.training
    draw = None if sampler is None else sampler.draw
    batches = Batches(corpus, training.batch_tokens, training.seed, draw)
    changes = list(_changes(trained))
    return ChangedBatches(batches, changes) if changes else batches


def _changes(trained: TrainedModel) -> Iterator[BatchChange]:
    training, model = trained.config.training, trained.config.model
    if training.source_subword_sampling:
        strength = training.source_subword_sampling
        reads = _sampler("source", trained.source_tokenizer, strength)
        yield SampledSources(reads, training.seed, longest_source(model))
    if training.target_subword_sampling:
        strength = training.target_subword_sampling
        writes = _sampler("target", trained.target_tokenizer, strength)
        yield SampledTargets(writes, training.seed, target_positions(model))
    yield from masking(trained)
    if training.source_word_dropout:
        first_tag = trained.source_tokenizer.first_tag
        yield HiddenTokens(training.source_word_dropout, first_tag, training.seed)
    if training.switchout_temperature is not None:
        first_tag = trained.source_tokenizer.first_tag
        yield SwitchOut(training.switchout_temperature, first_tag, training.seed)
    if training.tag_orders > 1:
        yield _tag_order(trained)


def masking(trained: TrainedModel) -> list[MaskedSpans]:
    """What hides spans of sources, in training and where losses are measured; none in most recipes.

    Raises ConfigError where targets cannot be pieces of sources.
    """
    training = trained.config.training
    if training.denoising in (None, "frames"):
        return []
    only_spans, source = training.denoising == "spans", trained.source_tokenizer
    if only_spans and source.to_json() != trained.target_tokenizer.to_json():
        raise ConfigError(
            "tokenizer.shared must be true where training.denoising is spans, whose targets are "
            "pieces of sources; got other symbols for targets"
        )
    share, mean = training.denoising_share, training.denoising_span
    return [MaskedSpans(share, mean, source.first_tag, training.seed, only_spans)]


def _sampler(side: str, tokenizer: SideTokenizer, strength: float) -> SubwordSampler:
    key = f"training.{side}_subword_sampling"
    if not isinstance(tokenizer, Tokenizer):
        raise ConfigError(
            f"{key} must be 0 where parts have tokenizers of their own; got {strength:g}"
        )
    try:
        return SubwordSampler(tokenizer, strength)
    except ConfigError as error:
        raise ConfigError(f"{key} must be 0 or {error}") from None


def _tag_order(trained: TrainedModel) -> TagOrder:
    training, tokenizer = trained.config.training, trained.source_tokenizer
    if not tokenizer.tags:
        raise ConfigError(
            "training.tag_orders must be 1 where no source holds tags "
            f"(data.source={{tags: COLUMN}}); got {training.tag_orders}"
        )
    fixed = {
        number
        for name, part in parts_of(trained.config).items()
        for number in trained.coders(name)[0].encode(part.source_tag)
    }
    return TagOrder(tokenizer.first_tag, training.tag_orders, training.seed, fixed)
