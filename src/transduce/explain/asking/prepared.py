"""From what a person gives (a source, a target) to what a method explains."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from transduce.audio.log_mel import mel_edges
from transduce.config.audio import AudioConfig
from transduce.errors import DataError
from transduce.explain.asking.own_modules import own_modules
from transduce.explain.asking.question import Question
from transduce.explain.asking.subject import Subject, blank_tokens
from transduce.explain.asking.units import Units, cells, edges, symbols, words
from transduce.explain.records.canvas import Canvas
from transduce.explain.records.weighed import SourceKind
from transduce.image.pixels import Pixels
from transduce.interfaces import Source
from transduce.models.seq2seq import Seq2Seq
from transduce.reading.frames import FrameSource
from transduce.reading.parts import Part
from transduce.tokenization.joint import coder
from transduce.workflow.predicting.source_rows import source_rows
from transduce.workflow.trained import TrainedModel

__all__ = ["UNITS", "Cells", "Prepared", "prepare_source"]

UNITS = ("symbol", "word")
_END = "end"

Cells = tuple[int, int]  # columns and rows at most


@dataclass(frozen=True)
class Prepared:
    """A source that is read: what the model sees of it, and how a person sees that.

    ``names`` are those of all units, ``places`` which of them the model sees: what is cut off
    because the source is too long has a name, and no weight.
    """

    kind: SourceKind
    source: Source
    units: Units
    blank: torch.Tensor
    names: tuple[str, ...]
    places: tuple[int, ...] | None = None  # of the units among the names; None: all of them
    canvas: Canvas | None = None

    def subject(self, trained: TrainedModel, question: Question, other: Question | None) -> Subject:
        """The function of a question that a model answers, with modules of its own."""
        model = own_modules(trained.model) if isinstance(trained.model, Seq2Seq) else None
        stepper = trained.stepper() if model is None else model
        sizes = (
            0 if trained.reader.in_files else trained.reader.width,
            trained.target_tokenizer.size,
        )
        return Subject(stepper, model, self.source, question, self.units, self.blank, other, sizes)

    def on_all(self, weights: torch.Tensor) -> torch.Tensor:
        """Weights ``[Q, U]`` of what was seen as those of all that has a name."""
        if self.places is None:
            return weights
        found = weights.new_zeros(len(weights), len(self.names))
        found[:, list(self.places)] = weights
        return found


def prepare_source(
    trained: TrainedModel, source: FrameSource, part: Part, *, unit: str, most: Cells
) -> Prepared:
    """Read a source. Raises DataError where there is nothing in it, or too much."""
    device = trained.model.device
    found = (
        _frames(trained, source, part, most)
        if trained.reader.in_files
        else _text(trained, source, part, unit)
    )
    return replace(found, source=found.source.to(device), blank=found.blank.to(device))


def _text(trained: TrainedModel, source: FrameSource, part: Part, unit: str) -> Prepared:
    own = coder(trained.source_tokenizer, part.name)
    options, limits = trained.config.search, trained.limits()
    row = source_rows([source], own, part, options, limits)[0]
    if isinstance(row, DataError):
        raise row
    if row is None:
        raise DataError(f"source must hold at least one symbol; got {str(source)!r}")
    whole = own.encode(part.source(str(source)))
    names = [*own.written(part.source(str(source))), _END]
    places = None
    if len(row) < len(whole):
        closing = len(own.closing)
        first = len(row) - closing
        places = (*range(first), *range(len(whole) - closing, len(whole) + 1))
    read = Source.of_tokens([row])
    units = symbols(len(row) + 1)
    if unit == "word":
        units, names = words([names[place] for place in places] if places else names)
        places = None
    return Prepared("text", read, units, blank_tokens(read), tuple(names), places)


def _frames(trained: TrainedModel, source: FrameSource, part: Part, most: Cells) -> Prepared:
    options = trained.config.data.input
    read = trained.reader.encoded(source, part)
    if isinstance(options, AudioConfig) and options.cut_at is not None:
        seconds = read.frames.shape[1] * options.hop_samples / options.sampling_rate
        if seconds > max(options.cut_at, options.pad_to or 0.0):
            raise DataError(
                f"recording must have at most {options.cut_at:g} seconds to be explained, as many "
                f"as the model hears at once; got {seconds:.1f}"
            )
    longest = trained.config.search.max_source_length
    if longest is not None and read.frames.shape[1] > longest:
        read = Source(read.frames[:, :longest], read.lengths.clamp(max=longest))
    frames = read.frames
    trained.limits().check(frames.shape[1])
    pixels = trained.reader.pixels(source)
    seen = 3 if pixels is None else pixels.shape[2]  # 3: of another library's processor
    channels = 1 if isinstance(options, AudioConfig) else seen
    _, S, F = frames.shape
    columns, rows = _cells(S, F // channels, most, square=not isinstance(options, AudioConfig))
    units = cells(S, F, columns, rows, channels)
    average = torch.full_like(frames, float(frames.mean()))  # as masks in training
    kind: SourceKind = "image"
    if isinstance(options, AudioConfig):
        kind, blank, canvas = "audio", average, _heard(options, frames[0], units)
    else:
        blank = average if pixels is None else torch.zeros_like(frames)  # paper
        canvas = _seen(frames[0], pixels, units, channels)
    return Prepared(
        kind,
        read,
        units,
        blank,
        tuple(canvas.names()),
        canvas=canvas,
    )


def _cells(width: int, height: int, most: Cells, *, square: bool) -> Cells:
    """How many columns and rows, at most as many as there are numbers."""
    columns, rows = most
    if square:  # about as many cells as that, none longer than high
        side = np.sqrt(width * height / (columns * rows))
        columns, rows = round(width / side), round(height / side)
    return min(width, max(1, columns)), min(height, max(1, rows))


def _heard(options: AudioConfig, frames: torch.Tensor, units: Units) -> Canvas:
    S, F = frames.shape
    hertz = mel_edges(options)[edges(F, units.rows)]
    seconds = np.array(edges(S, units.columns)) * options.hop_samples / options.sampling_rate
    values = frames.numpy()
    low, top = np.quantile(values, [0.02, 0.995])
    shade = np.clip((values - low) / max(top - low, 1e-6), 0, 1)
    return Canvas(
        (255 * shade.T[::-1]).astype(np.uint8),  # [F, S], the lowest band below
        tuple(seconds.round(4).tolist()),
        tuple(hertz.round(1).tolist()),
        "seconds",
        "hertz",
    )


def _seen(frames: torch.Tensor, pixels: Pixels | None, units: Units, channels: int) -> Canvas:
    S, F = frames.shape
    height = F // channels
    if pixels is None:  # what another library's processor made of it
        values = frames.numpy().reshape(S, channels, height).transpose(2, 0, 1)
        span = float(values.max() - values.min()) or 1.0
        pixels = (255 * (values - values.min()) / span).astype(np.uint8)
    picture = pixels[:, :S, 0] if pixels.shape[2] == 1 else pixels[:, :S]
    across, down = edges(S, units.columns), edges(height, units.rows)
    return Canvas(
        np.ascontiguousarray(picture),
        tuple(map(float, across)),
        tuple(map(float, down)),
        "pixels",
        "pixels",
    )
