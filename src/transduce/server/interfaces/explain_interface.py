"""``POST /explain``: why an output is what it is, and all that a search looked at."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from starlette.responses import Response
from starlette.routing import Route

from transduce.config.base import Bounds, Section, Text
from transduce.errors import DataError
from transduce.explain.asking.question import Quantity
from transduce.reading.frames import FrameSource
from transduce.server.exchange.bodies import check_texts
from transduce.server.exchange.endpoint import Exchange, route
from transduce.server.exchange.fields import Upload
from transduce.server.exchange.replies import json_reply
from transduce.server.interfaces.predict_interface import (
    PredictRequest,
    asked_of,
    given_request,
    valid_request,
)
from transduce.server.limits.request_errors import RequestError
from transduce.server.queue.looking_inside import Look, LookingInside
from transduce.server.service import Service
from transduce.server.shelf.loaded_model import LoadedModel

__all__ = ["ExplainBody", "explain_routes"]


class ExplainBody(Section):
    """The body of ``POST /explain``."""

    source: str | None = None
    model: Text | None = None
    part: Text | None = None
    source_language: Text | None = None
    target_language: Text | None = None
    target: str | None = None
    against: str | None = None
    method: Text | None = None
    quantity: Quantity = "token"
    alternatives: Annotated[int, Bounds(ge=0, le=20)] = 0
    tree: bool = False
    search: dict[str, Any] = Field(default_factory=dict)


def explain_routes(service: Service) -> list[Route]:
    """The one address, and the thread that looks."""
    looking = LookingInside()

    async def explain(exchange: Exchange) -> Response:
        exchange.admit()
        given, files = await given_request(exchange)
        asked = valid_request(ExplainBody, given)
        model = await service.shelf.get(asked.model)
        source = await _source(exchange, asked, model, files)
        return json_reply(await looking.at(model, _look(asked, model, service, source)))

    return [route(service, "/explain", explain)]


def _look(asked: ExplainBody, model: LoadedModel, service: Service, source: FrameSource) -> Look:
    """What is to be done, held to the server's limits. Raises TransduceError."""
    languages = asked.source_language, asked.target_language
    shared = {
        "model": asked.model,
        "part": asked.part,
        "source_language": languages[0],
        "target_language": languages[1],
        "alternatives": asked.alternatives,
    }
    searched = PredictRequest.model_validate({**shared, "search": asked.search})
    options = asked_of(searched, model, service.config).options
    return Look(
        source=source,
        part=asked.part,
        languages=languages,
        options=options,
        tree=asked.tree,
        target=asked.target,
        against=asked.against,
        method=asked.method,
        quantity=asked.quantity,
        alternatives=asked.alternatives,
    )


async def _source(
    exchange: Exchange, asked: ExplainBody, model: LoadedModel, files: list[Upload]
) -> FrameSource:
    """One text, recording or picture. Raises RequestError, DataError."""
    config, service = exchange.service.config, exchange.service
    others = [text for text in (asked.target, asked.against) if text is not None]
    characters = check_texts([asked.source or "", *others], config.characters, "texts")
    if model.kind == "text":
        if asked.source is None or files:
            raise RequestError("body must hold one source; got none, or files")
        exchange.count(characters)
        return asked.source
    if asked.source is not None or len(files) != 1:
        raise RequestError(
            f"source must be one file of a form, named file, for a model of {model.kind}; "
            f"got {len(files)}"
        )
    if model.kind == "image":
        return await service.picture(model, files[0].content)
    recorded = await exchange.recorded(model, files[0].content, guesses=True)
    if len(recorded.sources) != 1:
        raise DataError("recording must be heard in one piece to be explained; got several")
    return recorded.sources[0]
