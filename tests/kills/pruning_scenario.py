"""A pruned model that is trained on, while the process is killed."""

from __future__ import annotations

from pathlib import Path

from scenarios import (
    Scenario,
    held_in,
    noting,
    recipe,
    require_verified,
    untrained_model,
    write_files,
)

from transduce.commands.shrinking.pruning import pruned_model
from transduce.errors import CheckpointError

_STACK = {"kind": "transformer", "layers": 2, "width": 8, "feedforward": 16, "heads": 2}


def pruning(home: Path) -> Scenario:
    """``--resume`` after a kill, as a person is told; without it where nothing was begun."""
    import matplotlib.figure  # slow: once, not in each fork

    assert matplotlib.figure.Figure
    write_files(home)
    model, whole = home / "before", home / "whole"
    own = {"model.encoder": _STACK, "model.decoder": _STACK}
    untrained_model(recipe(home, **own), 1).save(model)

    def shrink(folder: Path, *, resume: bool) -> None:
        pruned_model(
            model,
            folder,
            ["feedforward=0.5", "heads=0.25"],
            {"training.max_steps": 3, "training.evaluate_every": 2},
            scores="taylor",
            minutes=100,
            resume=resume,
        )

    def again(folder: Path) -> None:
        try:
            shrink(folder, resume=True)
        except CheckpointError as error:
            if "--resume must have a run to go on with; got none" not in str(error):
                raise
            shrink(folder, resume=False)

    published: set[str | None] = {None}
    with noting(published):
        shrink(whole, resume=False)
    published.add(held_in(whole))

    def state(folder: Path) -> str:
        found = held_in(folder) if folder.exists() else None
        assert found in published, "a mix: no model that the run had at any time"
        return "none" if found is None else "new" if found == held_in(whole) else "on its way"

    def end(folder: Path) -> None:
        assert held_in(folder) == held_in(whole)
        require_verified(folder)

    return Scenario(
        lambda folder: None, lambda folder: shrink(folder, resume=False), state, again, end
    )
