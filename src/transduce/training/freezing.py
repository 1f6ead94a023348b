"""Parts of a model that do not learn."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from transduce.errors import ConfigError

__all__ = ["freeze"]


def freeze(model: nn.Module, modules: Sequence[str]) -> None:
    """Keep parameters whose dotted name begins with one of ``modules`` as they are.

    Raises ConfigError for a module that the model does not have, and where nothing is left to
    learn.
    """
    names = dict(model.named_parameters())
    for module in modules:
        own = [name for name in names if name == module or name.startswith(f"{module}.")]
        if not own:
            known = ", ".join(dict.fromkeys(name.split(".")[0] for name in names))
            raise ConfigError(
                f"training.freeze must name modules of the model ({known}, or modules of these); "
                f"got {module!r}"
            )
        for name in own:
            names[name].requires_grad_(False)
    if not any(parameter.requires_grad for parameter in names.values()):
        raise ConfigError("training.freeze must leave a module that learns; got all of them")
