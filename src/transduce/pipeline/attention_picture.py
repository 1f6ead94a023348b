"""Where a trained model looks while it writes: its attention, drawn."""

from __future__ import annotations

from pathlib import Path

from transduce.evaluation.pictures import draw_attention
from transduce.pipeline.trained import Output, TrainedModel

__all__ = ["draw_attention_of"]

_END = "end"


def draw_attention_of(
    trained: TrainedModel, source: str, path: str | Path, output: str | None = None
) -> str:
    """Draw the attention of each symbol that the model writes, as a PNG file; give the text.

    ``output`` is what it is made to write; none: what it writes by itself. Raises
    ModelError where the decoder has no attention and DataError where the file cannot be written.
    """
    if output is None:
        best: Output = next(trained.predict([source], trained.config.search))[0]
        output = best.text
    weights = trained.attention(source, output).numpy()
    symbols = trained.target_tokenizer.symbols(trained.target_tokenizer.encode(output))
    read = trained.source_tokenizer.symbols(trained.source_tokenizer.encode(source))
    draw_attention(weights, [*read, _END], [*symbols, _END], path)
    return output
