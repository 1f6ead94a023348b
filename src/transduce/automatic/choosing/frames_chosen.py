"""What reads recordings and pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from transduce.audio.samples import recorded_rate
from transduce.automatic.choosing.machine_speed import Machine
from transduce.automatic.choosing.recipe_lines import RecipeLine
from transduce.automatic.looking.facts import Facts
from transduce.config import DataConfig
from transduce.errors import DataError
from transduce.reading.frames import frame_reader

__all__ = ["FrameFacts", "choose_frames", "measure_frames"]

_MEASURED = 50  # files
_SLOW = 200.0  # seconds of machine time that a wide model is not worth
_LINE = 3.0  # a picture so many times as wide as high is a line of writing


@dataclass(frozen=True)
class FrameFacts:
    """``length`` is the median, in seconds of recordings or in heights of pictures."""

    kind: Literal["audio", "image"]
    length: float
    varies: bool = True  # the files are not all of one shape
    rate: int = 16_000  # samples a second, the most usual one


def measure_frames(kind: Literal["audio", "image"], sources: Sequence[str]) -> FrameFacts:
    """Look at the headers of some files, evenly spread. Raises DataError where none is readable."""
    height = 32
    options = {"kind": kind} if kind == "audio" else {"kind": kind, "height": height}
    reader = frame_reader(DataConfig.model_validate({"input": options}))
    if reader is None:
        raise ValueError("kind must be one of files")
    lengths = []
    rates: Counter[int] = Counter()
    problem: DataError | None = None
    for source in sources[:: max(1, len(sources) // _MEASURED)]:
        try:
            lengths.append(reader.length(source))
            if kind == "audio":
                rates[recorded_rate(source)] += 1
        except DataError as error:
            problem = error
    if not lengths:
        raise problem or DataError("there must be at least one source; got none")
    unit = reader.frames_a_second or height
    rate = rates.most_common(1)[0][0] if rates else 16_000
    varies = max(lengths) > 1.2 * min(lengths)
    return FrameFacts(kind, median(lengths) / unit, varies, min(16_000, max(4000, rate)))


def choose_frames(
    facts: Facts, frames: FrameFacts, minutes: float, machine: Machine
) -> tuple[list[RecipeLine], list[RecipeLine]]:
    """The lines of ``data.input`` and ``model``, and those of ``training``."""
    wide = machine.speed * minutes >= _SLOW
    width = 160 if wide else 96
    if frames.kind == "audio":
        return _audio(facts, frames, width), _training(12_000, "frames")
    return _image(facts, frames, width), _training(6000, "columns of pixels")


def _audio(facts: Facts, frames: FrameFacts, width: int) -> list[RecipeLine]:
    changes = {"speed": 0.1, "color": 6.0, "gain": 10.0, "noise": 0.05, "time_masks": 2}
    little = facts.pairs < 20_000
    chosen = [
        RecipeLine("data.input.sampling_rate", frames.rate, "most recordings have it"),
        RecipeLine("data.input.mel_bins", 40, "enough to tell sounds apart"),
        RecipeLine("data.input.normalization", "recording", "recordings may be loud or soft"),
    ]
    if little:
        reason = "few recordings: each time a little faster, higher, noisier"
        chosen.append(RecipeLine("data.input.augmentation", changes, reason))
    return [
        *chosen,
        RecipeLine("model.ctc", True, "what is said is in the order in which it is heard"),
        RecipeLine("model.frontend.kind", "subsampling", f"{frames.length:.1f} s are many frames"),
        RecipeLine("model.frontend.channels", 16, "a small one learns soonest"),
        RecipeLine("model.encoder.kind", "gru", "the fastest that hears in both directions"),
        RecipeLine("model.encoder.layers", 2, "sounds, then syllables"),
        RecipeLine("model.encoder.width", width, "what the minutes permit"),
        RecipeLine("model.encoder.dropout", 0.3 if little else 0.1, f"{facts.pairs:,} recordings"),
        RecipeLine("model.decoder.kind", "gru", "as the encoder"),
        RecipeLine("model.decoder.width", 96, "texts are short"),
        RecipeLine("model.decoder.attention", "additive", "it finds its place in a long source"),
        RecipeLine("search.ctc_weight", 0.5, "both outputs decide"),
    ]


def _image(facts: Facts, frames: FrameFacts, width: int) -> list[RecipeLine]:
    line = frames.length >= _LINE or frames.varies
    changes = {"shift": 0.05, "slant": 4.0, "scale": 0.08, "noise": 0.03}
    reason = "each time a little shifted, slanted, larger"
    if line:
        return [
            RecipeLine("data.input.height", 32, "what a line of writing needs"),
            RecipeLine("data.input.augmentation", changes, reason),
            RecipeLine("model.frontend.kind", "convolution2d", "strokes, then signs"),
            RecipeLine("model.encoder.kind", "gru", "signs stand in a row"),
            RecipeLine("model.encoder.width", width, "what the minutes permit"),
            RecipeLine("model.encoder.dropout", 0.1, f"{facts.pairs:,} pictures"),
            RecipeLine("model.decoder.kind", "gru", "as the encoder"),
            RecipeLine("model.decoder.width", width, "as the encoder"),
            RecipeLine("model.decoder.attention", "general", "it looks where it reads"),
        ]
    return [
        RecipeLine("data.input.height", 64, "a picture to look at, not to read"),
        RecipeLine("data.input.width", 64, "all of one size"),
        RecipeLine("data.input.color", True, "colours tell things apart"),
        RecipeLine("data.input.augmentation", changes, reason),
        RecipeLine("model.frontend.kind", "patches", "64 patches of 8 by 8"),
        RecipeLine("model.encoder.kind", "transformer", "what stands where means nothing in order"),
        RecipeLine("model.encoder.layers", 3, "what the minutes permit"),
        RecipeLine("model.encoder.width", 128, "what the minutes permit"),
        RecipeLine("model.encoder.feedforward", 512, "four times the width"),
        RecipeLine("model.encoder.heads", 4, "of 32 each"),
        RecipeLine("model.encoder.positions", "none", "patches have their own"),
        RecipeLine("model.decoder.kind", "gru", "texts are short"),
        RecipeLine("model.decoder.width", 128, "as the encoder"),
        RecipeLine("model.decoder.attention", "additive", "it looks where it reads"),
    ]


def _training(batch: int, unit: str) -> list[RecipeLine]:
    return [
        RecipeLine("training.batch_tokens", batch, f"{unit} of a step"),
        RecipeLine("training.learning_rate", 2e-3, "what suits this width"),
        RecipeLine("training.warmup_steps", 50, "few steps fit into the minutes"),
        RecipeLine("training.schedule", "cosine", "down to nothing at the end of the minutes"),
        RecipeLine("training.weight_decay", 0.05, "all is soon known by heart"),
        RecipeLine("training.label_smoothing", 0.05, "no symbol is ever quite sure"),
    ]
