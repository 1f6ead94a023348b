"""``transduce serve``: models answered over HTTP."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transduce.config import parse_override
from transduce.errors import ConfigError
from transduce.server.limits.keys import add_key
from transduce.server.limits.serve_config import serve_config
from transduce.server.shelf.model_names import named_models

__all__ = ["ServeRequest", "serve_models"]


@dataclass(frozen=True)
class ServeRequest:
    """The options of the command, as they were given."""

    models: Sequence[str]
    host: str = "127.0.0.1"
    port: int = 8765
    config: Path | None = None
    options: Sequence[str] = ()
    keys: Path | None = None
    new_key: str | None = None
    reload: bool = False
    log: str | None = None
    adapters: Sequence[str] = ()


def serve_models(request: ServeRequest) -> None:
    """Answer until SIGTERM or Ctrl-C, or make a key and print it. Raises TransduceError."""
    if request.new_key is not None:
        if request.keys is None:
            raise ConfigError("--keys must name a file for --new-key; got none")
        print(add_key(request.keys, request.new_key))
        return
    if not request.models:
        raise ConfigError("MODEL must be given; got none")
    given: dict[str, Any] = dict(parse_override(text) for text in request.options)
    if request.keys is not None:
        given["keys"] = str(request.keys)
    if request.reload:
        given["reload"] = True
    if request.log is not None:
        given["log"] = request.log
    config = serve_config(request.config, os.environ, given)
    folders = named_models(request.models)
    try:
        from transduce.server.log_lines import logged
        from transduce.server.running import Running, bound_socket
        from transduce.server.shelf.adapter_names import named_adapters
        from transduce.server.shelf.model_shelf import ModelShelf
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"serve must have {error.name}, which is not installed: pip install 'transduce[serve]'"
        ) from None
    memory = config.memory_gigabytes
    room = None if memory is None else memory * 1e9
    shelf = ModelShelf(folders, room, named_adapters(request.adapters))
    bound = bound_socket(request.host, request.port)
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host

    def begun() -> None:
        names = ", ".join(folders)
        print(
            f"serving {names} on http://{shown}:{port} (Ctrl-C ends)", file=sys.stderr, flush=True
        )

    try:
        with logged(config.log):
            Running(shelf, config, bound).run(begun)
    finally:
        bound.close()
