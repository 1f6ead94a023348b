"""Where a trained model looks while it writes: its attention, drawn."""

from __future__ import annotations

from pathlib import Path

from transduce.data.parts import find_part
from transduce.evaluation.pictures import draw_attention
from transduce.pipeline.trained import Output, TrainedModel

__all__ = ["draw_attention_of"]

_END = "end"


def draw_attention_of(
    trained: TrainedModel,
    source: str,
    path: str | Path,
    output: str | None = None,
    part: str | None = None,
) -> str:
    """Draw the attention of each symbol that the model writes, as a PNG file; give the text.

    ``output`` is what it is made to write; none: what it writes by itself.
    ``part`` names one of a mixture; its tags are drawn as well. Raises
    ModelError where the decoder has no attention and DataError where the file cannot be written.
    """
    if output is None:
        best: Output = next(trained.predict([source], trained.config.search, part=part))[0]
        output = best.text
    weights = trained.attention(source, output, part).numpy()
    chosen = find_part(trained.config, part)
    reader, writer = trained.coders(chosen.name)
    symbols = writer.symbols(writer.encode(chosen.target(output)))
    read = reader.symbols(reader.encode(chosen.source(source)))
    draw_attention(weights, [*read, _END], [*symbols, _END], path)
    return output
