"""``transduce shrink``: a trained model in fewer bytes, or of fewer weights."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

from transduce.commands.arguments import require_new_folder, say
from transduce.commands.shrinking.pruning import Scores, pruned_model, shares_of
from transduce.commands.shrinking.shrink_words import split_words
from transduce.config import WeightNumber
from transduce.errors import ConfigError, ModelError
from transduce.files import place
from transduce.ladder.choosing_weights import choose_weights, dev_examples
from transduce.pretrained.published_model import load_trained
from transduce.workflow.shrinking import require_shrinkable, shrink, weight_sizes
from transduce.workflow.trained import WEIGHTS, TrainedModel

__all__ = ["shrink_model"]

_MINUTES = 10.0  # where nobody says
_NUMBERS = [number for number in get_args(WeightNumber) if number != "float32"]


def shrink_model(
    model: Path,
    output: Path,
    weights: str | None,
    pruned: Sequence[str] | None,
    words: Sequence[str],
    *,
    scores: str | None = None,
    minutes: float | None,
    resume: bool,
) -> bool:
    """Write the directory and say what it holds; false where somebody stopped its training.

    ``scores`` say how units are scored, by Taylor scores where nobody says. Where nothing is
    ``pruned``, no ``weights`` are the smallest that lose nothing measurable on
    dev, tried within so many ``minutes``; else these are those of training.

    Raises ConfigError, also for an ``output`` that holds something, ModelError, BusyError, OSError.
    """
    if weights is not None and weights not in _NUMBERS:
        raise ConfigError(f"--weights must be one of {', '.join(_NUMBERS)}; got {weights!r}")
    shares, overrides = split_words(words)
    if scores not in (None, *get_args(Scores)):
        raise ConfigError(f"--scores must be one of {', '.join(get_args(Scores))}; got {scores!r}")
    if not pruned:
        _require_pruning(words, scores, resume)
        _rounded(model, output, weights, minutes)
        return True
    smaller, whole = pruned_model(
        model,
        output,
        [*pruned, *shares],
        overrides,
        scores=cast(Scores, scores or "taylor"),
        minutes=minutes,
        resume=resume,
    )
    if not whole:
        print("go on: the same command with --resume")
        return False
    if weights is not None:
        smaller = shrink(smaller, cast(WeightNumber, weights))
    if minutes is None or weights is not None:
        smaller.save(output)
    _say_sizes(model, output, smaller)
    return True


def _require_pruning(words: Sequence[str], scores: str | None, resume: bool) -> None:
    """Raise ConfigError where what only pruning has is given without it."""
    if scores is not None:
        raise ConfigError(f"--scores must be given with --prune; got {scores} without it")
    if resume:
        raise ConfigError("--resume must be given with --prune; got it alone")
    if words:
        raise ConfigError(
            f"PART=SHARE and KEY=VALUE must be given with --prune; got {words[0]} without it"
        )


def _rounded(model: Path, output: Path, weights: str | None, minutes: float | None) -> None:
    if weights is not None and minutes is not None:
        raise ConfigError(f"--minutes must be given without --weights; got {minutes:g} for both")
    if minutes is not None and not 0 < minutes < 1e6:
        raise ConfigError(f"--minutes must be more than 0; got {minutes:g}")
    require_new_folder(output)
    trained = load_trained(model, "cpu")
    if weights is None:
        smaller = _chosen(trained, model, output, _MINUTES if minutes is None else minutes)
    else:
        smaller = shrink(trained, cast(WeightNumber, weights))
    smaller.save(output)
    shutil.rmtree(output / "training", ignore_errors=True)  # of the pruned one, if it was tried
    _say_sizes(model, output, smaller)


def _say_sizes(model: Path, output: Path, smaller: TrainedModel) -> None:
    sizes, number = weight_sizes(smaller), smaller.config.weights
    before, after = (place(folder, WEIGHTS).stat().st_size for folder in (model, output))
    print(
        f"model: {output} ({before / 1e6:.2f} to {after / 1e6:.2f} MB, "
        f"{after / (sizes.rounded + sizes.floats):.3f} bytes a weight)"
    )
    kept = f" ({sizes.kept_kinds})" if sizes.rounded else ""
    stored = f"{number}: {sizes.rounded:,} weights; " if sizes.rounded else ""
    print(f"{stored}float32: {sizes.floats:,}{kept}")


def _chosen(trained: TrainedModel, model: Path, output: Path, minutes: float) -> TrainedModel:
    """The form that was chosen, with what was tried in its report; the table is printed."""
    require_shrinkable(trained)

    def fewer(left: float) -> TrainedModel:
        shares = shares_of(trained)
        return pruned_model(model, output, shares, {}, scores="taylor", minutes=left, resume=False)[
            0
        ]

    found = choose_weights(trained, dev_examples(trained), minutes, say, fewer=fewer)
    print(found.table())
    if found.model is None:
        raise ModelError(
            "a form must be found that loses nothing measurable; got none: --weights TYPE takes "
            "one in any case, --minutes gives more time"
        )
    found.model.report["shrinking"] = found.to_dict()
    return found.model
