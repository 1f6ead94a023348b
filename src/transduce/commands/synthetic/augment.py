"""``transduce augment``: pairs that a model makes of text alone, beside those of a recipe."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transduce.commands.arguments import recipe_or_data, say, search_options
from transduce.commands.synthetic.pair_folder import require_files, tell_left_out, written_to
from transduce.config import Config, SearchConfig, load_config
from transduce.errors import ConfigError, did_you_mean
from transduce.pretrained.published_model import load_trained
from transduce.workflow.synthetic.augmenting import Augmented, Augmenting
from transduce.workflow.synthetic.augmenting import augment as write_pairs

__all__ = ["AugmentRequest", "augment"]

_WAYS = ("beam", "sampling", "noised")


@dataclass(frozen=True)
class AugmentRequest:
    """The options of the command, as they were given."""

    arguments: Sequence[str]
    model: str
    output: Path
    text: Sequence[str] = ()
    sources: Sequence[str] = ()
    by: str = "beam"
    beam: int | None = None
    tag: bool = True
    least: float | None = None
    best: float | None = None
    part: str | None = None
    model_part: str | None = None


def augment(request: AugmentRequest) -> None:
    """Write the directory, or go on with it; say what it holds and what to type next.

    Raises ConfigError, DataError, ModelError, BusyError.
    """
    recipe = _recipe(request.arguments)
    _require_agreement(request)
    with written_to(request.output):
        trained = load_trained(request.model)
        asked = Augmenting(
            tuple(request.sources or request.text),
            _search(trained.config, recipe, request),
            forward=bool(request.sources),
            noise=request.by == "noised",
            tag=request.tag,
            least=request.least or 0.0,
            best=1.0 if request.best is None else request.best,
            part=request.part,
            model_part=request.model_part,
        )
        _tell(write_pairs(recipe, trained, request.output, asked, say), request)


def _recipe(arguments: Sequence[str]) -> Config:
    inputs, overrides = recipe_or_data(arguments)
    if len(inputs) != 1:
        raise ConfigError(f"RECIPE must be one recipe; got {len(inputs)} files")
    return load_config(inputs[0], overrides)


def _require_agreement(request: AugmentRequest) -> None:
    if bool(request.text) == bool(request.sources):
        got = "both" if request.text else "neither"
        raise ConfigError(f"--text or --sources must be given, one of them; got {got}")
    require_files(request.text, "--text")
    require_files(request.sources, "--sources")
    if request.by not in _WAYS:
        meant = did_you_mean(request.by, _WAYS)
        raise ConfigError(f"--by must be one of {', '.join(_WAYS)}; got {request.by!r}{meant}")
    if request.by == "sampling" and request.beam is not None:
        raise ConfigError(f"--beam must be left out with --by sampling; got {request.beam}")
    if request.least is not None and not 0 <= request.least <= 1:
        raise ConfigError(f"--minimum-confidence must be from 0 to 1; got {request.least:g}")
    if request.best is not None and not 0 < request.best <= 1:
        raise ConfigError(f"--best-share must be above 0 and at most 1; got {request.best:g}")


def _search(config: Config, recipe: Config, request: AugmentRequest) -> SearchConfig:
    """The model's own search for a beam; draws hang on the recipe's seed."""
    if request.by != "sampling":
        return search_options(config, request.beam, None)
    drawn = {"beam": 1, "diverse_groups": 1, "sample": True, "seed": recipe.training.seed}
    return config.updated({f"search.{name}": value for name, value in drawn.items()}).search


def _tell(found: Augmented, request: AugmentRequest) -> None:
    what = "sources" if request.sources else "texts"
    asked = found.asked
    print(f"{asked.pairs:,} pairs made from {asked.sources:,} {what}, {found.kept:,} kept")
    tell_left_out(found.left_out, "pairs")
    if found.problems.total:
        print(f"not read: {found.problems.summary()}")
    print("what to type next, with how often these pairs come:")
    recipe = shlex.quote(str(found.recipe))
    print(f"  transduce train {recipe} data.parts.{found.name}.weight=1 --output runs/augmented")
