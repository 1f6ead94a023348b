"""``transduce show MODEL --attention SOURCE``: where a model looks, as a picture."""

from __future__ import annotations

from pathlib import Path

from transduce.commands.arguments import require_file_place
from transduce.errors import ConfigError
from transduce.pretrained.published_model import load_trained
from transduce.workflow.attention_picture import draw_attention_of

__all__ = ["show_attention"]


def show_attention(
    model: Path,
    source: str,
    output: Path | None = None,
    part: str | None = None,
    *,
    engine: bool = False,
) -> str:
    """Draw it (attention.png if there is no ``output``); give what the model says of the source
    and where the picture is, as lines. Raises ConfigError, also for ``engine``, another question.
    """
    if engine:
        raise ConfigError("--engine must be used without --attention; got both")
    place = Path("attention.png") if output is None else output
    require_file_place(place, "--output")
    said = draw_attention_of(load_trained(model), source, place, part=part)
    return f"{said}\nattention drawn in {place}"
