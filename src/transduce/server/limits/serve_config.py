"""All options of a server in one place: flags, environment, a file of YAML, defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from transduce.config.base import Bounds, FilePath, Name, Section
from transduce.config.wording import describe
from transduce.config.yaml import read_recipe
from transduce.errors import ConfigError

__all__ = ["PREFIX", "LogForm", "ServeConfig", "serve_config"]

PREFIX = "TRANSDUCE_SERVE_"

Seconds = Annotated[float, Bounds(gt=0, le=86_400)]
LogForm = Literal["off", "text", "json"]


class ServeConfig(Section):
    """What a server takes. All sizes are those of one request, unless they say otherwise."""

    characters: Annotated[int, Bounds(ge=1, le=100_000_000)] = 50_000  # of all its texts
    sources: Annotated[int, Bounds(ge=1, le=1_000_000)] = 1000  # texts, recordings, pictures
    sound_seconds: Annotated[float, Bounds(gt=0, le=86_400)] = 1800.0  # of all its recordings
    pixels: Annotated[int, Bounds(ge=1, le=1_000_000_000)] = 20_000_000  # of a picture
    body_bytes: Annotated[int, Bounds(ge=1, le=2**32)] = 32 << 20  # as it comes, and decoded
    alternatives: Annotated[int, Bounds(ge=0, le=100)] = 10  # of a token, of a text
    beam: Annotated[int, Bounds(ge=1, le=1024)] = 10  # hypotheses of a search, n-best outputs
    max_length: Annotated[int, Bounds(ge=1, le=65_536)] = 1024  # tokens of an output
    queue: Annotated[int, Bounds(ge=1, le=1_000_000)] = 256  # requests that wait, of all clients
    wait_seconds: Seconds = 30.0  # until what waits is answered, as it looks when a request comes
    held_bytes: Annotated[int, Bounds(ge=1, le=2**40)] = 256 << 20  # of all that wait
    seconds: Seconds = 120.0  # from the first byte to the last
    body_seconds: Seconds = 20.0  # until a body is there
    header_seconds: Seconds = 10.0  # until the headers of a connection are there
    connections: Annotated[int, Bounds(ge=1, le=1_000_000)] = 1000  # open at once
    processes: Annotated[int, Bounds(ge=0, le=256)] | None = None  # that search, beside the server
    pack_tokens: Annotated[int, Bounds(ge=1, le=16_777_216)] = 4096  # times beams, decoded together
    requests_a_minute: Annotated[int, Bounds(ge=1, le=10**9)] | None = None  # of a key
    characters_a_day: Annotated[int, Bounds(ge=1, le=10**12)] | None = None  # of a key
    keys: FilePath | None = None  # file of hashed keys; none: everybody is answered
    origins: Annotated[tuple[Name, ...], Field(max_length=100)] = ()  # pages that may ask (CORS)
    memory_gigabytes: Annotated[float, Bounds(gt=0, le=1_000_000)] | None = None  # of all models
    log: LogForm = "off"  # lines on standard error
    reload: bool = False  # take over model directories that were replaced


def serve_config(
    file: Path | None, environment: Mapping[str, str], given: Mapping[str, Any]
) -> ServeConfig:
    """The options: what is ``given`` before the environment before the file before defaults.

    An option ``characters`` is ``TRANSDUCE_SERVE_CHARACTERS`` in the environment; lists are
    separated by spaces there. Raises ConfigError naming the option.
    """
    values: dict[str, Any] = {} if file is None else read_recipe(file)
    for name, text in environment.items():
        if name.startswith(PREFIX):
            values[name.removeprefix(PREFIX).lower()] = text
    values |= given
    if isinstance(values.get("origins"), str):
        values["origins"] = tuple(values["origins"].split())
    try:
        return ServeConfig.model_validate(values)
    except ValidationError as error:
        said = describe(error, ServeConfig, values)
        raise ConfigError(f"options of serve: {said}") from None
