"""What a client sends, held to bounds before anything is made of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from transduce.server.limits.request_errors import ClientGoneError, RequestError

__all__ = ["check_texts", "drop_body", "json_of", "read_body", "text_list", "text_of"]

_DEEPEST = 64  # lists and objects within each other
_LINGERS = 1.0  # seconds that what is too large is read on
_DROPPED = 64 << 20  # bytes of it


async def read_body(request: Request, most: int, seconds: float) -> bytes:
    """All bytes of a body. Raises RequestError: 413 for more than ``most``, 408 for a slow one."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and (len(told) > 18 or int(told) > most):
        await drop_body(request)
        raise _too_large(most, told[:20])
    pieces, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for piece in request.stream():
                size += len(piece)
                if size > most:
                    await drop_body(request)
                    raise _too_large(most, "more")
                pieces.append(piece)
    except TimeoutError:
        raise RequestError(f"body must come within {seconds:g} seconds; got a part", 408) from None
    except ClientDisconnect:
        raise ClientGoneError from None
    return b"".join(pieces)


async def drop_body(request: Request) -> None:
    """Read a body for a moment and keep nothing.

    A connection that is closed while bytes of its client are unread is reset, and many a client
    then never reads the answer that says why.
    """
    if "expect" in request.headers:  # it sends nothing before it has an answer
        return
    dropped = 0
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(_LINGERS):
            async for piece in request.stream():
                dropped += len(piece)
                if dropped > _DROPPED:
                    return


def _too_large(most: int, got: str) -> RequestError:
    return RequestError(f"body must have at most {most:,} bytes; got {got}", 413)


def text_of(data: bytes, name: str = "body") -> str:
    """UTF-8. Raises RequestError."""
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise RequestError(f"{name} must be UTF-8; got other bytes") from None


def json_of(data: bytes) -> dict[str, Any]:
    """A JSON object, nested 64 deep at most. Raises RequestError."""
    try:
        value = _DECODER.decode(text_of(data))
    except RequestError:
        raise
    except ValueError as error:  # also of a number of thousands of digits
        reason = str(error).partition(":")[0]
        raise RequestError(f"body must be valid JSON; got: {reason}") from None
    except RecursionError:
        raise RequestError(f"body must be nested at most {_DEEPEST} deep; got more") from None
    if not isinstance(value, dict):
        raise RequestError(f"body must be a JSON object; got {_kind(value)}")
    _refuse_deep(value)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _refuse_deep(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        inner: list[Any] = []
        for each in level:
            own: Iterable[Any] = each.values() if isinstance(each, dict) else each
            inner += [one for one in own if isinstance(one, dict | list)]
        if not inner:
            return
        level = inner
    raise RequestError(f"body must be nested at most {_DEEPEST} deep; got more")


def _kind(value: object) -> str:
    names: Mapping[type, str] = {
        list: "a list",
        str: "text",
        bool: "a truth value",
        dict: "an object",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "nothing")


def text_list(value: object, name: str, most: int) -> list[str]:
    """A text, or a list of at most so many. Raises RequestError: 400, 413 for more."""
    values = value if isinstance(value, list) else [value]
    if len(values) > most:
        raise RequestError(f"{name} must have at most {most:,} texts; got {len(values):,}", 413)
    texts = [text for text in values if isinstance(text, str)]
    if len(texts) < len(values) or not texts:
        wrong = next((v for v in values if not isinstance(v, str)), None)
        raise RequestError(f"{name} must be text, or a list of texts; got {_kind(wrong)}")
    return texts


def check_texts(texts: Iterable[str], characters: int, name: str = "text") -> int:
    """The characters of all texts.

    Raises RequestError: 413 for more than so many, 400 for what is no Unicode.
    """
    total = 0
    for text in texts:
        total += len(text)
        if total > characters:
            raise RequestError(
                f"{name} must have at most {characters:,} characters together; got more", 413
            )
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise RequestError(
                    f"{name} must be valid Unicode; got half of a surrogate pair"
                ) from None
    return total
