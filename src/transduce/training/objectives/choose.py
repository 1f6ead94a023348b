"""From a recipe to what is minimised."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from transduce.config import TrainingConfig
from transduce.errors import ConfigError
from transduce.models.seq2seq import Seq2Seq
from transduce.modules.dropout import Dropout
from transduce.training.chunks.cut import draws_elsewhere
from transduce.training.masking.masked_frames import masked_frames
from transduce.training.objectives.cross_entropy import CrossEntropy
from transduce.training.objectives.ctc import CTC
from transduce.training.objectives.distillation import Distillation, Teaching
from transduce.training.objectives.objective import Objective
from transduce.training.objectives.weighted import Weighted
from transduce.training.regularization.adversarial import Adversarial
from transduce.training.regularization.adversarial_symbols import AdversarialSymbols, Symbols
from transduce.training.regularization.mixup import Mixup
from transduce.training.regularization.r_drop import RDrop, SecondPass
from transduce.training.regularization.simcut import SimCut
from transduce.training.regularization.virtual_adversarial import VirtualAdversarial
from transduce.training.risk.engine_draw import EngineDraw
from transduce.training.risk.minimum_risk import MinimumRisk
from transduce.training.risk.reinforcement import Reinforcement
from transduce.training.risk.sample import Cost

__all__ = ["choose_objectives"]


def choose_objectives(
    config: TrainingConfig,
    model: Seq2Seq,
    teaching: Teaching | None = None,
    cost: Cost | None = None,
    first_tag: int | None = None,
) -> tuple[Weighted, ...]:
    """Masked frames alone; or cross-entropy of the decoder; by their shares, what a teacher says in
    the place of the references, and the CTC output of a model that has one; what regularizes the
    decoder is added, and the risk of its outputs by their ``cost``, where that is told. Source
    symbols from ``first_tag`` on are tags; None: there are none.

    Raises ConfigError where R-Drop is to compare passes that do not differ, or mixup to mix what a
    model copies.
    """
    if config.denoising == "frames":
        return (Weighted(1.0, masked_frames(config)),)
    ctc = config.ctc_weight if model.ctc is not None else 0.0
    taught = config.teacher_weight if teaching is not None else 0.0
    if config.r_drop_weight and not _has_dropout(model):
        raise ConfigError(
            "training.r_drop_weight must be 0 where the model has no dropout, as its two passes "
            f"would not differ; got {config.r_drop_weight:g}"
        )
    if config.mixup_weight and model.pointer is not None:
        raise ConfigError(
            "training.mixup_weight must be 0 where the model copies (model.copy), as no token "
            f"stands half-way between two; got {config.mixup_weight:g}"
        )
    decoder = [*_likelihoods(config, (1 - ctc) * (1 - taught))]
    if teaching is not None:
        lesson = Distillation(teaching, config.teacher_temperature)
        decoder.append(Weighted((1 - ctc) * taught, lesson))
    added = [Weighted((1 - ctc) * each.weight, each.objective) for each in _regularization(config)]
    if config.adversarial_symbols_weight:
        objective = _adversarial_symbols(config, model, first_tag)
        added.append(Weighted((1 - ctc) * config.adversarial_symbols_weight, objective))
    if cost is not None:
        added.append(Weighted((1 - ctc) * config.risk_weight, _risk(config, model, cost)))
    heard = [Weighted(ctc, CTC())] if ctc else []
    return tuple(each for each in (*decoder, *added, *heard) if each.weight)


def _likelihoods(config: TrainingConfig, weight: float) -> Iterator[Weighted]:
    """Of one pass, or of each of the two that R-Drop makes one half."""
    cross_entropy = CrossEntropy(config.label_smoothing)
    if config.r_drop_weight:
        yield Weighted(weight / 2, cross_entropy)
        yield Weighted(weight / 2, SecondPass(cross_entropy))
    else:
        yield Weighted(weight, cross_entropy)


def _regularization(config: TrainingConfig) -> Iterator[Weighted]:
    size, smoothing = config.adversarial_size, config.label_smoothing
    yield Weighted(config.r_drop_weight / 2, RDrop())
    yield Weighted(config.simcut_weight, SimCut(config.simcut_share))
    yield Weighted(config.adversarial_weight, Adversarial(size, smoothing))
    yield Weighted(config.virtual_adversarial_weight, VirtualAdversarial(size))
    yield Weighted(config.mixup_weight, Mixup(config.mixup_alpha, smoothing))


def _adversarial_symbols(
    config: TrainingConfig, model: Seq2Seq, first_tag: int | None
) -> AdversarialSymbols:
    weight = model.source_embedding.weight
    symbols = Symbols(weight, len(weight) if first_tag is None else first_tag)
    share = config.adversarial_symbols_share
    return AdversarialSymbols(symbols, share, config.label_smoothing)


def _risk(config: TrainingConfig, model: Seq2Seq, cost: Cost) -> Objective:
    draw = EngineDraw(model)
    if config.risk_method == "reinforcement":
        return Reinforcement(cost, config.risk_samples, draw)
    return MinimumRisk(cost, config.risk_samples, config.risk_sharpness, draw)


def _has_dropout(model: nn.Module) -> bool:
    """Whether two passes in training mode differ."""
    own = (module.rate for module in model.modules() if isinstance(module, Dropout))
    return any(own) or draws_elsewhere(model)
