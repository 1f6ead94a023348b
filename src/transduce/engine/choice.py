"""The fast form of a model: which one, in which numbers."""

from __future__ import annotations

import copy
import logging
import math
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from transduce.compress import Shrunk
from transduce.config import EngineChoice
from transduce.engine.frontends.entrance import Entrance
from transduce.engine.programs.weights import Number, int4_groups, over_sources
from transduce.engine.stacks.joined import NativeJoinedEncoder
from transduce.engine.stacks.linear_recurrent import NativeLinearRecurrentEncoder
from transduce.engine.stacks.listening import NativeCTC
from transduce.engine.stacks.recurrent import NativeRecurrentDecoder, NativeRecurrentEncoder
from transduce.engine.stacks.transformer import NativeTransformerDecoder, NativeTransformerEncoder
from transduce.engine.stepper import EngineStepper, NativeDecoder, NativeEncoder
from transduce.errors import EngineError, ModelError, NoProgramError
from transduce.interfaces import Stepper
from transduce.kernels.library import Library, load_library
from transduce.kernels.running.notes import Notes
from transduce.models.joined_encoder import JoinedEncoder
from transduce.models.linear_recurrent_encoder import LinearRecurrentEncoder
from transduce.models.recurrent import RecurrentDecoder, RecurrentEncoder
from transduce.models.seq2seq import Embedding, Encoder, Frontend, Seq2Seq
from transduce.models.storage import restore_floats
from transduce.models.transformer import TransformerDecoder, TransformerEncoder

__all__ = ["Engine", "choose_engine", "engine_of", "fast_stepper"]


@dataclass(frozen=True)
class Engine:
    """What was chosen and why; ``number`` is None where the model itself runs."""

    number: Number | None
    reason: str
    kernels: Path | None = None  # the compiled library


def choose_engine(choice: EngineChoice, device: torch.device) -> Engine:
    """The engine for this machine.

    int8 where the processor multiplies it (AVX-512 VNNI, AVX-VNNI, AVX2), else float32;
    bfloat16 only where asked for, as it is nowhere the fastest, and int4, which is for one
    sentence at a time. On a GPU that multiplies
    bfloat16 the model itself, in that. Raises EngineError where something other than ``auto`` was
    asked for and cannot be had.
    """
    if choice == "reference":
        return Engine(None, "asked for")
    if device.type != "cpu":
        return _choose_elsewhere(choice, device)
    try:
        library = load_library()
    except EngineError as error:
        if choice == "auto":
            return Engine(None, str(error))
        raise
    if choice != "auto":
        return Engine(choice, "asked for", library.path)
    if library.multiplies_int8:
        return Engine("int8", "the processor multiplies int8", library.path)
    return Engine("float32", "the processor does not multiply int8", library.path)


def _choose_elsewhere(choice: EngineChoice, device: torch.device) -> Engine:
    able = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if choice == "bfloat16" and able:
        return Engine("bfloat16", "asked for")
    if choice != "auto":
        known = "auto, bfloat16 or reference" if able else "auto or reference"
        raise EngineError(f"engine must be {known} on {device.type}; got {choice}")
    if able:
        return Engine("bfloat16", "the GPU multiplies bfloat16")
    return Engine(None, f"native kernels are for the CPU; the model is on {device.type}")


def fast_stepper(
    model: Seq2Seq, choice: EngineChoice = "auto", *, architecture: str | None = None
) -> Stepper[Any]:
    """The model's fast form, or the model itself where there is none.

    The weights are read now: what is learned later is not seen. Where ``auto`` finds no
    compiler, or no program for a module of the model, the log says so once. ``architecture``
    compiles for another processor than this one. Raises EngineError like :func:`choose_engine`,
    ModelError where a weight is no finite number.
    """
    engine, stepper = engine_of(model, choice, architecture=architecture)
    if engine.number is None and choice == "auto" and model.device.type == "cpu":
        _say_once(engine.reason)
    return stepper


def engine_of(
    model: Seq2Seq, choice: EngineChoice, *, architecture: str | None = None
) -> tuple[Engine, Stepper[Any]]:
    """The engine of a model, and the fast form in it. Says and raises as ``fast_stepper``."""
    engine = choose_engine(choice, model.device)
    _refuse_what_is_no_number(model)
    if engine.number is None:
        return engine, in_floats(model)
    if model.device.type != "cpu":
        return engine, in_bfloat16(model)
    if engine.number == "int4" and not any(map(int4_groups, model.parameters())):
        raise EngineError(
            "engine must be another than int4 for weights that are not stored in int4 "
            "(transduce shrink --weights int4); got int4"
        )
    try:
        return engine, _native(load_library(architecture), engine.number, model)
    except NoProgramError as error:
        if choice != "auto":
            raise
        return Engine(None, str(error), engine.kernels), in_floats(model)


def _native(library: Library, number: Number, model: Seq2Seq) -> EngineStepper:
    notes = Notes({id(weight): name for name, weight in model.named_parameters()})
    noting = replace(library, notes=notes)
    stepper = EngineStepper(
        _encoder(noting, over_sources(number), model.entrance, model.encoder),
        _decoder(noting, number, model),
        vocabulary=model.vocabulary,
        copied=None if model.pointer is None else model.pointer.symbols.clone(),
        listener=None if model.ctc is None else NativeCTC(library, model.ctc),
        notes=notes,
    )
    notes.names = {}  # other tensors may come to have the same ``id``
    return stepper


def in_floats(model: Seq2Seq) -> Seq2Seq:
    """The model, or a copy with floats where its weights are shrunk, as PyTorch needs them."""
    if not any(isinstance(weight, Shrunk) for weight in model.parameters()):
        return model
    model = copy.deepcopy(model)
    restore_floats(model)
    return model


def in_bfloat16(model: Seq2Seq) -> Seq2Seq:
    """A copy of the model with its weights in bfloat16; search makes its sums in float32."""
    return copy.deepcopy(model).to(torch.bfloat16)


def _encoder(
    library: Library, number: Number, before: Embedding | Frontend, encoder: Encoder
) -> NativeEncoder:
    """``before`` is what stands before the encoder."""
    if isinstance(encoder, JoinedEncoder):
        first = _encoder(library, number, before, encoder.first)
        second = _encoder(library, number, encoder.entrance, encoder.second)
        return NativeJoinedEncoder(library, first, second, encoder.joint)
    entrance = Entrance(library, number, before)
    if isinstance(encoder, TransformerEncoder):
        return NativeTransformerEncoder(library, number, entrance, encoder)
    if isinstance(encoder, LinearRecurrentEncoder):
        return NativeLinearRecurrentEncoder(library, number, entrance, encoder)
    if isinstance(encoder, RecurrentEncoder):
        return NativeRecurrentEncoder(library, number, entrance, encoder)
    raise NoProgramError.of("encoder", encoder)


def _decoder(library: Library, number: Number, model: Seq2Seq) -> NativeDecoder:
    embedding, decoder, output = model.target_embedding, model.decoder, model.output
    if isinstance(decoder, TransformerDecoder):
        return NativeTransformerDecoder(library, number, embedding, decoder, output, model.pointer)
    if isinstance(decoder, RecurrentDecoder):
        return NativeRecurrentDecoder(library, number, embedding, decoder, output, model.pointer)
    raise NoProgramError.of("decoder", decoder)


def _refuse_what_is_no_number(model: Seq2Seq) -> None:
    for name, weights in model.named_parameters():
        if isinstance(weights, Shrunk) or math.isfinite(float(weights.detach().sum())):
            continue  # seen when it was read; as a sum of which one is not would be none
        wrong = weights.detach()[~weights.detach().isfinite()]
        if len(wrong):
            raise ModelError(f"weights must be finite numbers; got {float(wrong[0])} in {name}")


@cache
def _say_once(reason: str) -> None:
    logging.getLogger("transduce").warning("predictions run without native kernels: %s", reason)
