"""``transduce show MODEL --attention SOURCE``: where a model looks, as a picture."""

from __future__ import annotations

from pathlib import Path

from transduce.commands.arguments import require_file_place
from transduce.pretrained.published_model import load_trained
from transduce.workflow.attention_picture import draw_attention_of

__all__ = ["show_attention"]


def show_attention(model: Path, source: str, output: Path, part: str | None = None) -> str:
    """Draw it; give what the model says of the source and where the picture is, as lines."""
    require_file_place(output, "--output")
    said = draw_attention_of(load_trained(model), source, output, part=part)
    return f"{said}\nattention drawn in {output}"
