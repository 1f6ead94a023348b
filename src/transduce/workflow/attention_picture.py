"""Where a trained model looks while it writes: its attention, drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from transduce.drawing.panels import draw_picture_attention
from transduce.drawing.pictures import draw_attention
from transduce.errors import DataError
from transduce.image.reader import ImageReader
from transduce.modules.patches import PatchFrontend
from transduce.modules.picture_convolution import PictureConvolution
from transduce.reading.frames import FrameReader, FrameSource
from transduce.reading.parts import find_part
from transduce.tokenization.joint import coder
from transduce.workflow.trained import Output, TrainedModel

__all__ = ["draw_attention_of"]

_END = "end"
_SECONDS = 0.5  # between two marks on a recording
_MOST_SYMBOLS = 400  # that an eye can tell apart


def draw_attention_of(
    trained: TrainedModel,
    source: FrameSource,
    path: str | Path,
    output: str | None = None,
    part: str | None = None,
) -> str:
    """Draw the attention of each symbol that the model writes, as a PNG file; give the text.

    Over a picture there is one panel a symbol; texts and recordings run from left to right.
    ``output`` is what the model is made to write; none: what it writes by itself.
    ``part`` names one of a mixture; its tags are drawn as well. Raises ModelError where the
    decoder has no attention and DataError where a file cannot be read or written.
    """
    if output is None:
        best: Output = next(trained.predict([source], trained.config.search, part=part))[0]
        output = best.text
    chosen = find_part(trained.config, part)
    writer = coder(trained.target_tokenizer, chosen.name)
    symbols = [*writer.symbols(writer.encode(chosen.target(output))), _END]
    reader = trained.source
    read: list[str] = []
    if not isinstance(reader, FrameReader):
        text = coder(reader, chosen.name)
        read = [*text.symbols(text.encode(chosen.source(str(source)))), _END]
    if max(len(symbols), len(read)) > _MOST_SYMBOLS:
        raise DataError(
            f"attention must be drawn over at most {_MOST_SYMBOLS} symbols a side; got "
            f"{len(read):,} of the source and {len(symbols):,} of the output"
        )
    weights = trained.attention(source, output, part).numpy()
    if isinstance(reader, ImageReader):
        pixels = reader.pixels(source)
        rows, cell_width = _cells(trained, pixels.shape[1], weights.shape[1])
        grid = weights.reshape(len(symbols), -1, rows).transpose(0, 2, 1)
        draw_picture_attention(grid, pixels, symbols, path, cell_width=cell_width, title=output)
    elif isinstance(reader, FrameReader):
        draw_attention(weights, _times(reader, source, weights.shape[1]), symbols, path)
    else:
        draw_attention(weights, read, symbols, path)
    return output


def _cells(trained: TrainedModel, width: int, vectors: int) -> tuple[int, int]:
    """Vectors that a column of a picture has, and pixels that each column is wide."""
    frontend = trained.model.frontend
    if isinstance(frontend, PatchFrontend | PictureConvolution):
        return frontend.rows, frontend.cell_width
    return 1, -(-width // vectors)  # any other makes one vector of so many columns of pixels


def _times(reader: FrameReader, source: FrameSource, count: int) -> list[str]:
    """A mark at every half second, for ``count`` vectors of a recording."""
    seconds = len(reader.read(source)) / (reader.frames_a_second or 1.0)
    ends = np.arange(1, count + 1) * seconds / count
    marks = (ends // _SECONDS).astype(int)
    new = np.diff(marks, prepend=0) > 0
    pairs = zip(marks.tolist(), new.tolist(), strict=True)
    return [f"{mark * _SECONDS:g} s" if is_new else "" for mark, is_new in pairs]
