"""From pairs to a trained model in its directory."""

from __future__ import annotations

import itertools
import logging
import platform
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from transduce.batches.mixture_sampler import MixtureSampler
from transduce.checks.doctor_report import Share
from transduce.confidence.confidence import Confidence
from transduce.config import Config, require_agreement
from transduce.errors import CheckpointError, ConfigError, DataError, TrainingError
from transduce.files import changing, place
from transduce.models.lora import add_low_rank, merge_low_rank
from transduce.models.seq2seq import Seq2Seq
from transduce.models.storage import load_weights
from transduce.reading.pair_files import Pair
from transduce.training.distributed import launched_processes
from transduce.training.freezing import freeze
from transduce.training.inputs import Score
from transduce.training.loop import train
from transduce.training.masking.frame_score import FrameScore
from transduce.training.masking.masked_frames import masked_frames
from transduce.training.objectives.choose import choose_objectives
from transduce.training.record.position import TrainingRecord
from transduce.training.record.progress import Progress
from transduce.workflow.confidence.confidence_fitting import LEAST_EXAMPLES, fit_confidence_on
from transduce.workflow.corpora.corpora import Corpora
from transduce.workflow.corpora.survey import Seen, Tokenizers, survey
from transduce.workflow.evaluate import DevScorer, pair_batches
from transduce.workflow.fitting.beginning import (
    Beginning,
    LearntFrom,
    choose_beginning,
    whole_recipe,
)
from transduce.workflow.fitting.misfits import misfits
from transduce.workflow.fitting.output_cost import output_cost
from transduce.workflow.fitting.pair_limits import refuse_beyond_positions, refuse_long_pairs
from transduce.workflow.fitting.run_folder import data_fingerprint, run_fingerprint, taken
from transduce.workflow.fitting.shared_data import SharedData
from transduce.workflow.fitting.teaching import teach
from transduce.workflow.fitting.training_batches import training_batches
from transduce.workflow.fitting.training_limits import refuse_large_model
from transduce.workflow.mixture_scores import MixtureScorer
from transduce.workflow.model_folder import CONFIG, WEIGHTS, replacing_model
from transduce.workflow.readers.source_reader import Cache, Corpus
from transduce.workflow.tokenizer_files import load_sides, stored_tokenizers
from transduce.workflow.trained import TrainedModel, choose_device

__all__ = ["dev_scorer", "fit"]

_IN_MEMORY = 64 << 20  # bytes of training text; more is encoded into files and mapped
_NOTHING = LearntFrom()


def fit(
    config: Config,
    corpora: Corpora,
    folder: str | Path,
    *,
    learnt_from: LearntFrom = _NOTHING,
    resume: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
    shared: SharedData | None = None,
) -> TrainedModel:
    """Train as the config says; the model directory is ``folder``, which this run alone writes.

    ``learnt_from`` are the models that it names. ``say`` receives plain lines about the data.
    ``shared`` is what runs before this one in the same process left of the same pairs.
    Raises TransduceError.
    """
    if config.weights != "float32":
        raise ConfigError(
            f"weights must be float32 where a model is trained; got {config.weights}: "
            "`transduce shrink` stores a trained model in it"
        )
    if config.engine == "int4":
        raise ConfigError("engine must be another than int4 where a model is trained; got int4")
    beginning = choose_beginning(config, learnt_from)
    config = whole_recipe(config, beginning)
    require_agreement(config)
    if (reason := config.search.refusal()) is not None:
        raise ConfigError(f"search.{reason}")
    if config.search.shortlist:
        raise ConfigError(
            "search.shortlist must be false where a model is trained; "
            "`transduce shortlist` learns one of a trained model"
        )
    folder = Path(folder)
    main = launched_processes()[0] == 0
    with taken(folder, config, resume) if main else nullcontext():
        if not corpora.dev:
            raise TrainingError(
                "dev data must hold at least one pair; got none: set data.dev, or a larger "
                "data.dev_fraction"
            )
        fingerprint = run_fingerprint(config, corpora)
        trained, seen, begun = _untrained(config, corpora, folder, beginning, resume, shared)
        corpus = _encode(config, corpora, trained, folder, fingerprint, shared)
        symbols, device = trained.target_tokenizer.size, trained.model.device
        refuse_long_pairs(config.model, corpus, symbols, device, learned=True)
        refuse_beyond_positions(config.model, corpus)
        sampler = _sampler(config, corpora, corpus)
        data_report = _describe_data(corpora, corpus, seen, sampler)
        if main:
            for line in itertools.chain(
                begun, _data_lines(data_report), misfits(trained, corpora, seen.first)
            ):
                say(line)
        _refuse_emptied(corpora, corpus)
        if main and not (resume and (folder / CONFIG).is_file()):
            with _explained(folder), replacing_model(folder) as change:
                trained.write_frame(change)
        teachers, heard = learnt_from.teachers, say if main else None
        teaching = teach(
            trained, teachers, corpus, folder, data_fingerprint(config, corpora), heard
        )
        reads = trained.reader.tokenizer
        record = train(
            trained.model,
            choose_objectives(
                config.training,
                trained.model,
                teaching,
                output_cost(trained),
                None if reads is None else reads.first_tag,
            ),
            training_batches(corpus, trained, sampler),
            config.training,
            folder,
            dev_scorer(trained, corpora),
            resume=resume,
            progress=progress,
            fingerprint=fingerprint,
        )
        merge_low_rank(trained.model)
        if (folder / WEIGHTS).is_file():
            load_weights(trained.model, folder / WEIGHTS)
        trained.model.eval()
        trained.refresh()
        trained.report = _report(trained, data_report, record)
        if main:
            trained.confidence = _confidence(trained, corpora, record, seen.leaked)
            with _explained(folder), changing(folder) as change:
                trained.write_frame(change)  # whose limits a resume may have moved
                trained.write_confidence(change)
                trained.write_report(change)
        return trained


def _untrained(
    config: Config,
    corpora: Corpora,
    folder: Path,
    beginning: Beginning,
    resume: bool,
    shared: SharedData | None,
) -> tuple[TrainedModel, Seen, list[str]]:
    """The model as training begins with it, on its device, and what is to be said of that."""
    known = _known_tokenizers(folder, config) if resume else None
    if known is None and not beginning.learns:
        known = beginning.tokenizers(config, None)
    if known is None and shared is not None:
        tokenizers, seen = shared.survey(config, corpora)
    else:
        tokenizers, seen = survey(config, corpora, known)
    if known is None:
        tokenizers = beginning.tokenizers(config, tokenizers)
    device = choose_device(config.training.device)
    refuse_large_model(config, tokenizers, device)
    torch.manual_seed(config.training.seed)
    trained = TrainedModel.fresh(config, *tokenizers)
    begun = beginning.fill(trained)
    _choose_what_learns(trained, grown=beginning.grown(trained))
    trained.model.to(device)
    return trained, seen, begun


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Files of the model that cannot be written. Raises CheckpointError naming the file."""
    try:
        yield
    except OSError as error:
        file = error.filename or folder
        raise CheckpointError(f"{file} cannot be written ({error.strerror})") from None


def _choose_what_learns(trained: TrainedModel, *, grown: bool) -> None:
    """Frozen modules, or low-rank changes; tables with new symbols learn in any case."""
    training = trained.config.training
    if training.lora_rank is not None:
        if training.weights != "float32":
            raise ConfigError(
                "training.weights must be float32 with training.lora_rank, whose changes are "
                f"added to weights before these are rounded; got {training.weights}"
            )
        if training.freeze:
            raise ConfigError(
                "training.freeze must be none with training.lora_rank, where only low-rank "
                f"changes learn; got {training.freeze[0]}"
            )
        learning = ("source_embedding.", "target_embedding.", "output.") if grown else ()
        add_low_rank(trained.model, training.lora_rank, training.lora_alpha, learning=learning)
    unused = () if training.denoising != "frames" else _without_encoder(trained.model)
    freeze(trained.model, (*training.freeze, *unused))


def _without_encoder(model: Seq2Seq) -> Iterator[str]:
    """Modules that take no part where frames are guessed."""
    for name, module in model.named_children():
        if (
            name not in ("frontend", "encoder", "frame_output")
            and next(module.parameters(), None) is not None
        ):
            yield name


def _sampler(config: Config, corpora: Corpora, corpus: Corpus) -> MixtureSampler | None:
    """What draws the pairs of an epoch; None where the data is no mixture."""
    if not corpora.parts or not len(corpus):
        return None
    weights = tuple(part.part.weight for part in corpora.parts)
    data, seed = config.data, config.training.seed
    return MixtureSampler(corpus.part_sizes, weights, data.temperature, seed)


def _refuse_emptied(corpora: Corpora, corpus: Corpus) -> None:
    if not len(corpus):
        raise TrainingError("training data must hold at least one pair; got none after filtering")
    for part, size in zip(corpora.parts, corpus.part_sizes, strict=False):
        if not size:
            raise TrainingError(
                f"data.parts.{part.part.name} must hold at least one training pair; "
                "got none after filtering"
            )


def dev_scorer(trained: TrainedModel, corpora: Corpora) -> Score:
    """What scores a model on the dev data that its recipe names."""
    training = trained.config.training
    if training.denoising == "frames":
        batches = pair_batches(trained, corpora.dev, None)
        return FrameScore(trained.model, batches, masked_frames(training), training.seed)
    if not corpora.parts:
        return DevScorer(trained, corpora.dev)
    return MixtureScorer(trained, corpora.dev_by_part())


def _confidence(
    trained: TrainedModel, corpora: Corpora, record: TrainingRecord, leaked: Collection[str]
) -> Confidence | None:
    """How sure it is of what it says to dev sources that it has not learnt, or to all where these
    are too few; None where all are too few to tell.
    """
    most = trained.config.evaluation.confidence
    examples = corpora.unlearnt_dev(leaked, LEAST_EXAMPLES)
    count = sum(min(most, len(own)) for own in examples.values())
    if trained.config.training.denoising == "frames":
        return None
    if count < LEAST_EXAMPLES or record.stopped == "interrupted":
        return None
    try:
        return fit_confidence_on(trained, examples, most)
    except DataError as error:  # too few of them were answered
        logging.getLogger("transduce").info("no confidence is kept: %s", error)
        return None


def _known_tokenizers(folder: Path, config: Config) -> Tokenizers | None:
    if not all(place(folder, name).is_file() for name in stored_tokenizers(folder, config)):
        return None
    return load_sides(folder, config)


def _encode(
    config: Config,
    corpora: Corpora,
    trained: TrainedModel,
    folder: Path,
    fingerprint: str,
    shared: SharedData | None,
) -> Corpus:
    """Small data stays in memory; large data is encoded into files once, also across a resume.

    Of recordings and pictures only paths, lengths and targets are held.
    """
    streams = corpora.train_by_part()

    def build(cache: Cache | None) -> Corpus:
        return trained.reader.corpus(
            {name: _texts_of(stream()) for name, stream in streams.items()},
            trained.target_tokenizer,
            config.data,
            seed=config.training.seed,
            cache=cache,
        )

    large = corpora.bytes > _IN_MEMORY
    if shared is not None:
        return shared.encode(config, corpora, build, large=large)
    return build(Cache(folder / "training" / "corpus", fingerprint) if large else None)


def _texts_of(pairs: Iterator[Pair]) -> Iterator[tuple[str, str]]:
    return ((pair.source, pair.target or "") for pair in pairs)


def _describe_data(
    corpora: Corpora,
    corpus: Corpus,
    seen: Seen,
    sampler: MixtureSampler | None,
) -> dict[str, Any]:
    described = {
        "train_pairs": len(corpus),
        "dev_sources": len(corpora.dev),
        "fingerprints": corpora.fingerprints,
        "problems": corpora.problems.report(),
        "dev_problems": corpora.dev_problems.report(),
        "filtered": corpus.filtered,
        "truncated": corpus.truncated,
        "dev_leakage": seen.leakage.to_dict(),
        "trained_on": seen.sketch.to_dict(),
    }
    if sampler is not None:
        described["parts"] = {
            part.part.name: {
                "train_pairs": size,
                "dev_sources": len(part.dev),
                "pairs_an_epoch": round(rate, 1),
            }
            for part, size, rate in zip(
                corpora.parts, corpus.part_sizes, sampler.rates.tolist(), strict=True
            )
        }
    return described


def _data_lines(report: dict[str, Any]) -> list[str]:
    lines = [f"{report['train_pairs']:,} training pairs, {report['dev_sources']:,} dev sources"]
    for name, part in report.get("parts", {}).items():
        size, drawn = part["train_pairs"], part["pairs_an_epoch"]
        share = Share(size, drawn / report["train_pairs"], drawn / max(size, 1))
        lines.append(f"  {name}: {share}, {part['dev_sources']:,} dev sources")
    for part, key in (("training", "problems"), ("dev", "dev_problems")):
        if count := report[key]["skipped"]:
            reasons = ", ".join(f"{n:,} {why}" for why, n in report[key]["reasons"].items())
            lines.append(f"skipped for errors in {part} data: {count:,} ({reasons})")
    lines += [f"left out for {why}: {n:,} pairs" for why, n in report["filtered"].items()]
    lines += [f"cut for {why}: {n:,} sentences" for why, n in report["truncated"].items()]
    if leaked := report["dev_leakage"]["sources"]:
        lines.append(
            f"warning: {leaked:,} dev sources stand in the training data too (leakage), "
            f"{report['dev_leakage']['pairs']:,} with the same target"
        )
    return lines


def _report(trained: TrainedModel, data: dict[str, Any], record: TrainingRecord) -> dict[str, Any]:
    sizes = {"target": trained.target_tokenizer.size}
    if trained.reader.tokenizer is not None:
        sizes = {"source": trained.reader.width, **sizes}
    return {
        "name": trained.config.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(),
        "data": data,
        "vocabulary": sizes,
        "parameters": trained.parameters_by_module(),
        "training": asdict(record),
    }


def _versions() -> dict[str, str]:
    names = ("transduce", "torch", "tokenizers", "safetensors")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
