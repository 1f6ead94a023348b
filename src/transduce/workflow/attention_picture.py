"""Where a trained model looks while it writes: its attention, as numbers and drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from transduce.config import require_one_input
from transduce.drawing.attention_matrix import attention_figure
from transduce.drawing.figures import png, save
from transduce.drawing.panels import picture_attention_figure
from transduce.errors import DataError
from transduce.image.pixels import Pixels
from transduce.modules.frontends.patches import PatchFrontend
from transduce.modules.frontends.picture_convolution import PictureConvolution
from transduce.reading.frames import FrameSource
from transduce.reading.parts import find_part
from transduce.tokenization.joint import coder
from transduce.workflow.trained import Output, TrainedModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["AttentionWeights", "attention_of", "draw_attention_of"]

_END = "end"
_MOST_SYMBOLS = 400  # that an eye can tell apart


@dataclass(frozen=True, eq=False)
class AttentionWeights:
    """Where a model looked while it wrote ``text``.

    ``weights`` are float32 ``[T, S]``, from 0 to 1: a row for each symbol of ``output`` (the last
    is the end), a column for each position of ``source``: a symbol, as the text has it, a time of
    a recording, or nothing for a vector of a picture. ``numpy.asarray`` gives the weights; a
    notebook shows :meth:`figure`.
    """

    weights: NDArray[np.float32]
    source: tuple[str, ...]
    output: tuple[str, ...]
    text: str
    over_frames: bool = False
    _pixels: Pixels | None = field(default=None, repr=False)
    _cells: tuple[int, int] = field(default=(1, 1), repr=False)

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        return np.array(self.weights, dtype=dtype, copy=copy is not False)

    def figure(self) -> Figure:
        """A matplotlib figure: over a picture one panel a symbol, else source across, output down.

        Raises DataError where there are more symbols than an eye can tell apart.
        """
        read = 0 if self.over_frames else len(self.source)
        _require_drawable(read, len(self.output))
        title = f"Attention while writing: {self.text}"
        if self._pixels is None:
            return attention_figure(
                self.weights, self.source, self.output, title=title, fine=self.over_frames
            )
        rows, cell_width = self._cells
        grid = self.weights.reshape(len(self.output), -1, rows).transpose(0, 2, 1)
        return picture_attention_figure(
            grid, self._pixels, self.output, cell_width=cell_width, title=title
        )

    def draw(self, path: str | Path) -> None:
        """Write :meth:`figure` as a PNG file, whole or not at all. Raises DataError."""
        save(self.figure(), path)

    def _repr_png_(self) -> bytes:
        return png(self.figure())


def _require_drawable(read: int, written: int) -> None:
    """Raise DataError where there are more symbols on a side than can be drawn."""
    if max(read, written) > _MOST_SYMBOLS:
        raise DataError(
            f"attention must be drawn over at most {_MOST_SYMBOLS} symbols a side; got "
            f"{read:,} of the source and {written:,} of the output"
        )


def attention_of(
    trained: TrainedModel, source: FrameSource, output: str | None = None, part: str | None = None
) -> AttentionWeights:
    """The attention of each symbol that the model writes.

    ``output`` is what the model is made to write; none: what it writes by itself. ``part`` names
    one of a mixture; its tags are symbols as well. Raises ModelError where the decoder has no
    attention, DataError where the source cannot be read.
    """
    require_one_input(trained.config, "a picture of attention")
    if output is None:
        best: Output = next(trained.predict([source], trained.config.search, part=part))[0]
        output = best.text
    chosen = find_part(trained.config, part)
    writer = coder(trained.target_tokenizer, chosen.name)
    weights = trained.attention(source, output, part).numpy()
    pixels = trained.reader.pixels(source)
    cells = (1, 1) if pixels is None else _cells(trained, pixels.shape[1], weights.shape[1])
    return AttentionWeights(
        weights,
        tuple(trained.reader.labels(source, chosen, weights.shape[1])),
        (*writer.written(chosen.target(output)), _END),
        output,
        trained.reader.in_files,
        pixels,
        cells,
    )


def draw_attention_of(
    trained: TrainedModel,
    source: FrameSource,
    path: str | Path,
    output: str | None = None,
    part: str | None = None,
) -> str:
    """Draw :func:`attention_of` as a PNG file; give the text that was written.

    Raises ModelError where the decoder has no attention and DataError where a file cannot be read
    or written, or where there are more symbols than an eye can tell apart.
    """
    found = attention_of(trained, source, output, part)
    found.draw(path)
    return found.text


def _cells(trained: TrainedModel, width: int, vectors: int) -> tuple[int, int]:
    """Vectors that a column of a picture has, and pixels that each column is wide."""
    frontend = trained.model.frontend
    if isinstance(frontend, PatchFrontend | PictureConvolution):
        return frontend.rows, frontend.cell_width
    return 1, -(-width // vectors)  # any other makes one vector of so many columns of pixels
