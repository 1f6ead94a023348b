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
        RecipeLine("data.input.sampling_rate", frames.rate, "the rate of most recordings"),
        RecipeLine("data.input.mel_bins", 40, "enough to distinguish sounds"),
        RecipeLine("data.input.normalization", "recording", "recordings can differ in loudness"),
    ]
    if little:
        reason = "few recordings, so each is changed a little every time"
        chosen.append(RecipeLine("data.input.augmentation", changes, reason))
    return [
        *chosen,
        RecipeLine("model.ctc", True, "text and sound have the same order"),
        RecipeLine(
            "model.frontend.kind",
            "subsampling",
            f"{frames.length:.1f} s are many frames, so they are shortened",
        ),
        RecipeLine("model.frontend.channels", 16, "a small frontend learns fastest"),
        RecipeLine("model.encoder.kind", "gru", "the fastest that reads in both directions"),
        RecipeLine("model.encoder.layers", 2, "sounds, then syllables"),
        RecipeLine("model.encoder.width", width, "what the time allows"),
        RecipeLine("model.encoder.dropout", 0.3 if little else 0.1, f"{facts.pairs:,} recordings"),
        RecipeLine("model.decoder.kind", "gru", "as the encoder"),
        RecipeLine("model.decoder.width", 96, "texts are short"),
        RecipeLine("model.decoder.attention", "additive", "suits long sources"),
        RecipeLine("search.ctc_weight", 0.5, "both outputs count"),
    ]


def _image(facts: Facts, frames: FrameFacts, width: int) -> list[RecipeLine]:
    line = frames.length >= _LINE or frames.varies
    changes = {"shift": 0.05, "slant": 4.0, "scale": 0.08, "noise": 0.03}
    reason = "each picture is changed a little every time"
    if line:
        return [
            RecipeLine("data.input.height", 32, "enough for a line of text"),
            RecipeLine("data.input.augmentation", changes, reason),
            RecipeLine("model.frontend.kind", "convolution2d", "for lines of text"),
            RecipeLine("model.encoder.kind", "gru", "characters follow each other"),
            RecipeLine("model.encoder.width", width, "what the time allows"),
            RecipeLine("model.encoder.dropout", 0.1, f"{facts.pairs:,} pictures"),
            RecipeLine("model.decoder.kind", "gru", "as the encoder"),
            RecipeLine("model.decoder.width", width, "as the encoder"),
            RecipeLine("model.decoder.attention", "general", "suits pictures"),
        ]
    return [
        RecipeLine("data.input.height", 64, "pictures of things, not of text"),
        RecipeLine("data.input.width", 64, "all pictures have one size"),
        RecipeLine("data.input.color", True, "colours help to distinguish things"),
        RecipeLine("data.input.augmentation", changes, reason),
        RecipeLine("model.frontend.kind", "patches", "64 patches of 8 by 8"),
        RecipeLine("model.encoder.kind", "transformer", "a picture has no reading order"),
        RecipeLine("model.encoder.layers", 3, "what the time allows"),
        RecipeLine("model.encoder.width", 128, "what the time allows"),
        RecipeLine("model.encoder.feedforward", 512, "four times the width"),
        RecipeLine("model.encoder.heads", 4, "of 32 each"),
        RecipeLine("model.encoder.positions", "none", "patches have their own"),
        RecipeLine("model.decoder.kind", "gru", "texts are short"),
        RecipeLine("model.decoder.width", 128, "as the encoder"),
        RecipeLine("model.decoder.attention", "additive", "suits pictures"),
    ]


def _training(batch: int, unit: str) -> list[RecipeLine]:
    return [
        RecipeLine("training.batch_tokens", batch, f"{unit} of a step"),
        RecipeLine("training.learning_rate", 2e-3, "suits this width"),
        RecipeLine("training.warmup_steps", 50, "few steps fit into the minutes"),
        RecipeLine("training.schedule", "cosine", "falls to zero at the end"),
        RecipeLine("training.weight_decay", 0.05, "little data is soon memorized"),
        RecipeLine("training.label_smoothing", 0.05, "avoids overconfidence"),
    ]
