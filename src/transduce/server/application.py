"""The application: all interfaces side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from transduce.server.dispatch import Dispatch
from transduce.server.exchange.replies import error_reply, plain_form
from transduce.server.interfaces.deepl import deepl_routes
from transduce.server.interfaces.deepl_documents import deepl_document_routes
from transduce.server.interfaces.explain_interface import explain_routes
from transduce.server.interfaces.health import health_routes
from transduce.server.interfaces.huggingface import huggingface_routes
from transduce.server.interfaces.libretranslate import libretranslate_routes
from transduce.server.interfaces.openai_audio import openai_routes
from transduce.server.interfaces.openapi import openapi_routes
from transduce.server.interfaces.predict_interface import predict_routes
from transduce.server.limits.request_errors import RequestError
from transduce.server.page.page_routes import page_routes
from transduce.server.service import Service

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["application", "application_routes"]


def application_routes(service: Service) -> list[Route]:
    """All addresses."""
    return [
        *predict_routes(service),
        *explain_routes(service),
        *libretranslate_routes(service),
        *openai_routes(service),
        *deepl_routes(service),
        *deepl_document_routes(service),
        *huggingface_routes(service),
        *health_routes(service),
        *openapi_routes(service),
        *page_routes(service),
    ]


def application(routes: Sequence[Route], origins: Sequence[str]) -> ASGIApp:
    """An ASGI application of these addresses; pages of the ``origins`` may ask them, too."""
    handlers = {HTTPException: _no_such_address}
    if not origins:
        return Dispatch(routes, Starlette(routes=routes, exception_handlers=handlers))
    allowed = Middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["authorization", "content-type", "x-api-key"],
    )
    return Starlette(routes=routes, middleware=[allowed], exception_handlers=handlers)


async def _no_such_address(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = {404: "address must be one of the server's", 405: "method must be another"}
    told = RequestError(message.get(status, "request must be another"), status)
    reply = error_reply(told, plain_form)
    if isinstance(error, HTTPException) and error.headers:
        reply.headers.update(error.headers)  # which methods there are
    return reply
