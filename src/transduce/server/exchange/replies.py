"""What is sent back: JSON, and errors in the form that an interface's clients wait for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from transduce.server.limits.request_errors import RequestError

__all__ = ["ErrorForm", "error_reply", "json_bytes", "json_reply", "plain_form"]

# The status and the body of an error, as an interface's clients read it.
ErrorForm = Callable[[RequestError], tuple[int, Mapping[str, Any]]]


def json_bytes(value: object) -> bytes:
    """Compact UTF-8; what is no Unicode as JSON's own escapes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def json_reply(value: object, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(json_bytes(value), status, media_type="application/json")


def error_reply(error: RequestError, form: ErrorForm) -> Response:
    """Why there is no answer."""
    status, body = form(error)
    reply = json_reply(body, status)
    if error.retry_after is not None:
        reply.headers["retry-after"] = str(error.retry_after)
    if status == 401:
        reply.headers["www-authenticate"] = "Bearer"
    return reply


def plain_form(error: RequestError) -> tuple[int, Mapping[str, Any]]:
    """``{"error": "…"}``: ours and Hugging Face's."""
    return error.status, {"error": str(error)}
