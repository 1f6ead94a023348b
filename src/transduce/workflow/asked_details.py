"""What is asked of outputs beside their texts, from the words in which a person asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from transduce.errors import ConfigError, ModelError, did_you_mean
from transduce.models.recurrent import RecurrentDecoder
from transduce.models.seq2seq import Seq2Seq
from transduce.workflow.confidence.confidence_scores import confident_details
from transduce.workflow.predicting.alignments import Aligner, AttentionAligner, ReplacementAligner
from transduce.workflow.predicting.details import PLAIN, Details
from transduce.workflow.trained import TrainedModel

__all__ = ["ALIGN_BY", "AlignBy", "asked_details", "attends"]

AlignBy = Literal["attention", "replacement"]
ALIGN_BY: tuple[AlignBy, ...] = ("attention", "replacement")

_MOST = 100  # alternatives of a token


def asked_details(
    trained: TrainedModel,
    confidence: bool = False,
    least: float | None = None,
    *,
    alternatives: int = 0,
    alignments: bool | str = False,
) -> Details:
    """What a model says of its outputs: how sure it is, at ``least`` that (0 to 1), so many
    ``alternatives`` of each token, ``alignments`` by attention (True) or by another name.

    Raises ModelError where the model cannot say it, ConfigError for a number or a name that
    cannot be.
    """
    if not 0 <= alternatives <= _MOST:
        raise ConfigError(f"alternatives must be from 0 to {_MOST}; got {alternatives}")
    sure = confidence or least is not None
    details = confident_details(trained, least or 0.0) if sure else PLAIN
    if alternatives:
        details = replace(details, alternatives=alternatives)
    if alignments:
        by = "attention" if alignments is True else str(alignments)
        details = replace(details, aligner=_aligner(trained, by))
    return details


def attends(trained: TrainedModel) -> bool:
    """Whether the decoder has attention that can be read here."""
    decoder = trained.model.decoder if isinstance(trained.model, Seq2Seq) else None
    if isinstance(decoder, RecurrentDecoder):
        return decoder.attention is not None
    return decoder is not None


def _aligner(trained: TrainedModel, by: str) -> Aligner:
    if by not in ALIGN_BY:
        meant = did_you_mean(by, ALIGN_BY)
        raise ConfigError(f"alignments must be by {' or '.join(ALIGN_BY)}; got {by!r}{meant}")
    if trained.reader.in_files:
        kind = trained.config.data.input.kind
        raise ModelError(f"alignments must be asked of a model that reads texts; got {kind}")
    if trained.goes_on:
        raise ModelError(
            "alignments must be asked of an encoder with a decoder; got a decoder alone"
        )
    if by == "replacement":
        return ReplacementAligner(trained.stepper(), trained.reader.width, trained.model.device)
    if not attends(trained):
        own = isinstance(trained.model, Seq2Seq)
        got = "attention: none" if own else "one that transformers runs"
        raise ModelError(
            f"alignments by attention must be asked of a decoder that has it here; got {got} "
            "(alignments by replacement need none)"
        )
    return AttentionAligner()
