"""Whether the server is there, and whether it answers."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from transduce.server.exchange.endpoint import Exchange, route
from transduce.server.exchange.replies import json_reply
from transduce.server.service import Service

__all__ = ["health_routes"]


def health_routes(service: Service) -> list[Route]:
    """``/health`` as LibreTranslate has it, ``/ready`` for balancers, ``/metrics``."""
    return [
        route(service, "/health", _health, methods=("GET",)),
        route(service, "/ready", _ready, methods=("GET",)),
        route(service, "/metrics", _metrics, methods=("GET",)),
    ]


async def _health(exchange: Exchange) -> Response:
    return json_reply({"status": "ok"})


async def _metrics(exchange: Exchange) -> Response:
    exchange.admit()  # who asks what is nobody else's business
    text = exchange.service.meter.text()
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def _ready(exchange: Exchange) -> Response:
    ready = exchange.service.ready
    return json_reply({"status": "ready" if ready else "not ready"}, 200 if ready else 503)
