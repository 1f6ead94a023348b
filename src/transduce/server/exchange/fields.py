"""Named values of a request, however they come: JSON, a form, the query of its address."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request

from transduce.server.exchange.bodies import json_of
from transduce.server.exchange.endpoint import Exchange
from transduce.server.limits.request_errors import ClientGoneError, RequestError

__all__ = ["Upload", "given_fields", "given_form"]

_MOST_FIELDS, _MOST_FILES = 1000, 100


class Upload:
    """A file of a form: its content, and the last part of the name that the client has for it."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name.replace("\\", "/").rpartition("/")[2]
        self.content = content

    @property
    def suffix(self) -> str:
        """``.txt``: in small letters, "" where there is none."""
        stem, dot, end = self.name.rpartition(".")
        return f".{end.lower()}" if dot and stem else ""


async def given_fields(exchange: Exchange, *, many: tuple[str, ...] = ()) -> dict[str, Any]:
    """All named values; those of the body count before those of the query.

    Of a name in ``many`` a list of all that were given. Raises RequestError.
    """
    request = exchange.request
    found: dict[str, Any] = {}
    if request.scope.get("query_string"):
        _add(found, request.query_params.multi_items(), many)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return {**found, **json_of(await exchange.body())}
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        form = await given_form(exchange)
        own: dict[str, Any] = {}
        _add(own, form, many)
        return {**found, **own}
    await exchange.body()
    return found


async def given_form(exchange: Exchange) -> list[tuple[str, str | Upload]]:
    """All fields and files of a form in their order. Raises RequestError."""
    data = await exchange.body()
    config = exchange.service.config
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": data, "more_body": False}

    again = Request(exchange.request.scope, receive)
    try:
        form = await again.form(
            max_files=_MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=config.body_bytes
        )
        return await _read(form)
    except (MultiPartException, HTTPException) as error:
        reason = getattr(error, "message", None) or getattr(error, "detail", "")
        raise RequestError(f"body must be a valid form; got: {reason}") from None
    except ClientDisconnect:
        raise ClientGoneError from None
    except (UnicodeError, ValueError, LookupError):
        raise RequestError("body must be a valid form; got another") from None


async def _read(form: FormData) -> list[tuple[str, str | Upload]]:
    found: list[tuple[str, str | Upload]] = []
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                found.append((name, Upload(value.filename or "", await value.read())))
            else:
                found.append((name, value))
    finally:
        await form.close()
    return found


def _add(found: dict[str, Any], items: Any, many: tuple[str, ...]) -> None:
    for name, value in items:
        if name in many:
            found.setdefault(name, []).append(value)
        else:
            found.setdefault(name, value)
