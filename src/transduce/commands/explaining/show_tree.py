"""``transduce explain MODEL SOURCE --beam-tree``: what else it could have said."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from transduce.commands.arguments import require_output, updated
from transduce.errors import ConfigError
from transduce.explain.beam_tree import BeamTree, beam_tree
from transduce.pretrained.published_model import load_trained

__all__ = ["show_beam_tree"]

_KINDS = (".html", ".json", ".png")


def show_beam_tree(
    model: Path,
    source: str | None,
    output: Path | None,
    *,
    part: str | None = None,
    prefix: str | None = None,
    overrides: Sequence[str] = (),
) -> None:
    """Print the search of a source step by step, or write it as its file's name says.

    ``prefix`` is what every output has to begin with. Raises ConfigError.
    """
    if source is None:
        raise ConfigError("SOURCE must be given with --beam-tree; got none")
    require_output(output, _KINDS)
    trained = load_trained(model)
    config = updated(trained.config, overrides)
    if prefix is not None:
        config = config.updated({"search.prefix": prefix})
    trained.config = config
    tree = beam_tree(trained, source, part=part)
    if output is None:
        print("\n".join(_lines(tree)))
        return
    tree.save(output)
    print(f"{tree.outputs[0]}\nbeam tree written to {output}")


def _lines(tree: BeamTree) -> Iterator[str]:
    """Each step's branches, best first."""
    step = 0
    for branch in sorted(tree.branches, key=lambda b: (b.step, -b.total)):
        if branch.step != step:
            step = branch.step
            yield f"step {step}"
        probability = 100 * math.exp(branch.log_probability)
        place = "" if branch.rank is None else f", output {branch.rank + 1} ({branch.score:.3f})"
        way = f"{_way(tree, branch.parent)}{branch.name}{place}"
        yield f"  {branch.total:9.3f}  {probability:5.1f} %  {branch.fate:8}  {way}"
    for rank, text in enumerate(tree.outputs, 1):
        yield f"{rank}  {text}"


def _way(tree: BeamTree, number: int) -> str:
    names: list[str] = []
    while number >= 0:
        names.append(tree.branches[number].name)
        number = tree.branches[number].parent
    return "".join(f"{name} " for name in [*tree.prefix, *names[::-1]])
