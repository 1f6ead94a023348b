"""Whether the server is there, and whether it answers."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from transduce.server.exchange.endpoint import Exchange, route
from transduce.server.exchange.replies import json_reply
from transduce.server.service import Service

__all__ = ["health_routes"]


def health_routes(service: Service) -> list[Route]:
    """``/health`` as LibreTranslate has it, and ``/ready`` for who sends requests here."""
    return [
        route(service, "/health", _health, methods=("GET",)),
        route(service, "/ready", _ready, methods=("GET",)),
    ]


async def _health(exchange: Exchange) -> Response:
    return json_reply({"status": "ok"})


async def _ready(exchange: Exchange) -> Response:
    ready = exchange.service.ready
    return json_reply({"status": "ready" if ready else "not ready"}, 200 if ready else 503)
