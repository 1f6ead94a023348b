"""What callers give a pipeline, as sources that a model reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from transduce.errors import DataError
from transduce.tasks.options.option_table import Kind

__all__ = ["given_sources", "is_many", "read_source"]

_KEYWORDS = ("inputs", "text_inputs", "images", "args")
_NUMBERS = (int, float, np.number)


def given_sources(sources: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The sources of a call: by place, or by one of the names that transformers had for them.

    These are taken out of ``options``. Raises DataError where there are none.
    """
    for name in _KEYWORDS:
        if name in options:
            sources = (*sources, options.pop(name))
    if not sources:
        raise DataError("sources must be given; got none")
    if len(sources) == 1:
        return sources[0]
    return list(sources)


def is_many(value: Any, kind: Kind) -> bool:
    """Whether there are several sources in place of one."""
    if isinstance(value, list) and kind == "speech" and value and _are_samples(value):
        return False
    if isinstance(value, list):
        return True
    single = isinstance(value, str | bytes | bytearray | memoryview | tuple | Mapping | Path)
    single = single or hasattr(value, "__array__") or _is_open_file(value)
    return isinstance(value, Iterable) and not single


def read_source(source: Any, kind: Kind) -> Any:
    """One source as the model's reader takes it. Raises DataError for what is none."""
    if kind in ("text", "prompt"):
        return _text(source, kind)
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        raise DataError(f"source must be a file; nothing is fetched from the network; got {source}")
    if kind == "speech":
        return _recording(source)
    return _picture(source)


def _text(source: Any, kind: Kind) -> str:
    if isinstance(source, str):
        return source
    if kind == "prompt" and isinstance(source, Mapping) and "role" in source:
        raise DataError(
            "prompt must be a text: a chat's template is a program, and none of a checkpoint's is "
            "run; got a chat"
        )
    raise DataError("source must be a text or a list of texts")


def _recording(source: Any) -> Any:
    """A path; samples; ``{"raw": samples, "sampling_rate": hertz}`` as recordings of datasets
    come; or a file's content.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if _is_open_file(source):
        return _content(source)
    if isinstance(source, list):
        return np.asarray(source, dtype=np.float32)
    if not isinstance(source, Mapping):
        return _array(source)
    samples = source.get("raw", source.get("array"))
    if samples is None and isinstance(source.get("bytes"), bytes):
        return source["bytes"]
    if samples is None or "sampling_rate" not in source:
        raise DataError(
            "recording must be a path, samples or a mapping with raw (or array) and "
            f"sampling_rate; got {', '.join(map(str, source)) or 'an empty mapping'}"
        )
    rate = source["sampling_rate"]
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.number) or rate != int(rate):
        raise DataError(f"sampling_rate must be a whole number of hertz; got {str(rate)[:40]}")
    values = np.asarray(samples, np.float32) if isinstance(samples, list) else _array(samples)
    return values, int(rate)


def _is_open_file(value: Any) -> bool:
    """Whose lines are no sources."""
    return callable(getattr(value, "read", None))


def _content(file: Any) -> bytes:
    """Of an open file, from where it stands on."""
    content = file.read()
    if not isinstance(content, bytes):
        raise DataError(f"file must be open for bytes; it gave {type(content).__name__}")
    return content


def _array(value: Any) -> Any:
    """A tensor of torch as an array, wherever it is; what is neither as it is."""
    detach = getattr(value, "detach", None)
    if callable(detach):
        value = detach().cpu()
        value = value.float() if value.is_floating_point() else value
    return np.asarray(value) if hasattr(value, "__array__") else value


def _picture(source: Any) -> Any:
    """A path, pixels, or a picture of PIL."""
    is_picture = callable(getattr(source, "convert", None))
    if is_picture or isinstance(source, str | Path):
        return source
    if hasattr(source, "__array__"):
        return _array(source)
    raise DataError(f"source must be a path or a picture; got {type(source).__name__}")


def _are_samples(values: Sequence[Any]) -> bool:
    return all(isinstance(value, _NUMBERS) and not isinstance(value, bool) for value in values)
