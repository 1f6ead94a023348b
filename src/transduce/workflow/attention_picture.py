"""Where a trained model looks while it writes: its attention, drawn."""

from __future__ import annotations

from pathlib import Path

from transduce.drawing.panels import draw_picture_attention
from transduce.drawing.pictures import draw_attention
from transduce.errors import DataError
from transduce.modules.patches import PatchFrontend
from transduce.modules.picture_convolution import PictureConvolution
from transduce.reading.frames import FrameSource
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
    pixels = trained.reader.pixels(source)
    read = [] if trained.reader.in_files else trained.reader.labels(source, chosen, 0)
    if max(len(symbols), len(read)) > _MOST_SYMBOLS:
        raise DataError(
            f"attention must be drawn over at most {_MOST_SYMBOLS} symbols a side; got "
            f"{len(read):,} of the source and {len(symbols):,} of the output"
        )
    weights = trained.attention(source, output, part).numpy()
    if pixels is None:
        labels = read or trained.reader.labels(source, chosen, weights.shape[1])
        draw_attention(weights, labels, symbols, path)
        return output
    rows, cell_width = _cells(trained, pixels.shape[1], weights.shape[1])
    grid = weights.reshape(len(symbols), -1, rows).transpose(0, 2, 1)
    draw_picture_attention(grid, pixels, symbols, path, cell_width=cell_width, title=output)
    return output


def _cells(trained: TrainedModel, width: int, vectors: int) -> tuple[int, int]:
    """Vectors that a column of a picture has, and pixels that each column is wide."""
    frontend = trained.model.frontend
    if isinstance(frontend, PatchFrontend | PictureConvolution):
        return frontend.rows, frontend.cell_width
    return 1, -(-width // vectors)  # any other makes one vector of so many columns of pixels
