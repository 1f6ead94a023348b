"""Parts of a model that do not learn."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from transduce.errors import ConfigError

__all__ = ["freeze"]


def freeze(model: nn.Module, parts: Sequence[str]) -> None:
    """Keep parameters whose dotted name begins with one of ``parts`` as they are.

    Raises ConfigError for a part that the model does not have, and where nothing is left to learn.
    """
    names = dict(model.named_parameters())
    for part in parts:
        own = [name for name in names if name == part or name.startswith(f"{part}.")]
        if not own:
            known = ", ".join(dict.fromkeys(name.split(".")[0] for name in names))
            raise ConfigError(
                f"training.freeze must name parts of the model ({known}, or parts of these); "
                f"got {part!r}"
            )
        for name in own:
            names[name].requires_grad_(False)
    if not any(parameter.requires_grad for parameter in names.values()):
        raise ConfigError("training.freeze must leave a part that learns; got all of them")
