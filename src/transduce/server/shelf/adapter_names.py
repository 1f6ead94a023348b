"""Which adapters a server was told of, by name, and of which of its models each is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from transduce.adapters import base_of_adapter
from transduce.errors import ConfigError, ModelError
from transduce.workflow.adapting.adapter_of import checksum_of_base

__all__ = ["adapters_by_model", "named_adapters"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SUFFIX = ".safetensors"


def named_adapters(arguments: Sequence[str]) -> dict[str, Path]:
    """From ``NAME=FILE``, and folders whose ``NAME.safetensors`` are all meant, to files by name.

    Raises ConfigError for a name that cannot stand in a request, and for one given twice.
    """
    found: dict[str, Path] = {}
    for argument in arguments:
        folder = Path(argument)
        if folder.is_dir():
            given = {path.stem: path for path in sorted(folder.glob(f"*{_SUFFIX}"))}
            if not given:
                raise ConfigError(f"--adapter must be a folder of {_SUFFIX} files; got {argument}")
        else:
            name, equals, path = argument.partition("=")
            if not equals:
                raise ConfigError(f"--adapter must be NAME=FILE, or a folder; got {argument}")
            given = {name: Path(path)}
        for name, file in given.items():
            if not _NAME.fullmatch(name):
                raise ConfigError(
                    "name of an adapter must be letters, digits, dots and dashes, 100 at most; "
                    f"got {name!r}"
                )
            if name in found:
                raise ConfigError(f"names of adapters must differ; got {name} twice")
            found[name] = file
    return found


def adapters_by_model(
    adapters: Mapping[str, Path], models: Mapping[str, Path]
) -> dict[str, dict[str, Path]]:
    """The adapters of each model, told by the checksum of its weights.

    Raises ModelError for an adapter that is of none of them.
    """
    found: dict[str, dict[str, Path]] = {name: {} for name in models}
    if not adapters:
        return found
    bases = {name: checksum_of_base(folder) for name, folder in models.items()}
    for name, path in adapters.items():
        base = base_of_adapter(path)
        fitting = [model for model, own in bases.items() if own == base]
        if not fitting:
            raise ModelError(
                f"{path}: adapter must be one of the server's models; got one of other weights "
                f"({base[:12]}…)"
            )
        for model in fitting:
            found[model][name] = path
    return found
