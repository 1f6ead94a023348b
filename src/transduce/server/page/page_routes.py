"""The page at ``/``, its files, and what it has to know of the models."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from transduce import __version__
from transduce.server.exchange.endpoint import Exchange, Handler, route
from transduce.server.exchange.replies import json_reply
from transduce.server.page.model_facts import limits_told, model_facts
from transduce.server.page.static_files import StaticFile, static_files
from transduce.server.service import Service

__all__ = ["page_routes"]

_INDEX = "index.html"


def page_routes(service: Service) -> list[Route]:
    """A route for each file, so that no path which a client writes is ever looked up."""
    files = static_files()
    routes = [
        route(service, "/" if name == _INDEX else f"/page/{name}", _file(file), methods=("GET",))
        for name, file in files.items()
    ]
    return [
        *routes,
        route(service, "/page/models", _models, methods=("GET",)),
        route(service, "/page/models/{model}", _model, methods=("GET",)),
    ]


def _file(file: StaticFile) -> Handler:
    async def answer(exchange: Exchange) -> Response:
        known = exchange.request.headers.get("if-none-match", "")
        if file.tag in known:
            return Response(status_code=304, headers=dict(file.headers))
        return Response(file.content, media_type=file.kind, headers=dict(file.headers))

    return answer


async def _models(exchange: Exchange) -> Response:
    exchange.admit()
    service = exchange.service
    told = {
        "version": __version__,
        "models": list(service.shelf.names),
        "limits": limits_told(service.config),
    }
    return json_reply(told)


async def _model(exchange: Exchange) -> Response:
    exchange.admit()
    model = await exchange.service.shelf.get(exchange.request.path_params["model"])
    return json_reply(model_facts(model, exchange.service.config))
