"""Our own interface: ``POST /predict`` with all that a search can be asked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from starlette.responses import Response
from starlette.routing import Route

from transduce.config.base import Bounds, Section, Text
from transduce.config.wording import describe
from transduce.server.exchange.bodies import check_texts, json_of
from transduce.server.exchange.endpoint import Exchange, route
from transduce.server.exchange.replies import json_reply
from transduce.server.interfaces.output_records import answer_record
from transduce.server.limits.request_errors import RequestError
from transduce.server.limits.serve_config import ServeConfig
from transduce.server.queue.requested import Requested
from transduce.server.service import Service
from transduce.server.shelf.loaded_model import LoadedModel

__all__ = ["PredictRequest", "asked_of", "predict_routes"]

# What a client may say of a search: all but what only the machine's owner knows about.
_OWN = ("batch_tokens",)


class PredictRequest(Section):
    """The body of ``POST /predict``."""

    source: Text | None = None
    sources: list[str] | None = None
    model: Text | None = None
    part: Text | None = None
    source_language: Text | None = None
    target_language: Text | None = None
    search: dict[str, Any] = Field(default_factory=dict)
    timings: bool = False
    confidence: bool = False
    minimum_confidence: Annotated[float, Bounds(ge=0, le=1)] | None = None
    alternatives: Annotated[int, Bounds(ge=0, le=100)] = 0
    alignments: bool | Literal["attention", "replacement"] = False
    stream: bool = False


def predict_routes(service: Service) -> list[Route]:
    """The one address."""
    return [route(service, "/predict", _predict)]


async def _predict(exchange: Exchange) -> Response:
    service = exchange.service
    exchange.admit()
    asked_for = _request(json_of(await exchange.body()))
    if (asked_for.source is None) == (asked_for.sources is None):
        raise RequestError("body must hold either source or sources; got both or neither")
    sources = [asked_for.source] if asked_for.source is not None else asked_for.sources or []
    if len(sources) > service.config.sources:
        raise RequestError(
            f"sources must be at most {service.config.sources:,}; got {len(sources):,}", 413
        )
    exchange.count(check_texts(sources, service.config.characters, "sources"))
    model = await service.shelf.get(asked_for.model)
    if model.kind != "text":
        raise RequestError(f"sources must be files for a model of {model.kind}; got text")
    asked = asked_of(asked_for, model, service.config)
    found = await service.outputs(exchange.gone, model, asked, sources)
    answers = [answer_record(outputs) for outputs in found]
    if asked_for.source is not None:
        if "error" in answers[0]:
            raise RequestError(str(answers[0]["error"]))
        return json_reply({"model": model.name, **answers[0]})
    return json_reply({"model": model.name, "answers": answers})


def _request(values: dict[str, Any]) -> PredictRequest:
    try:
        return PredictRequest.model_validate(values)
    except ValidationError as error:
        raise RequestError(describe(error, PredictRequest, values)) from None


def asked_of(given: PredictRequest, model: LoadedModel, config: ServeConfig) -> Requested:
    """What is asked of a model, held to the server's limits. Raises TransduceError."""
    for name in _OWN:
        if name in given.search:
            raise RequestError(f"search.{name} must be left to the server; got one")
    if given.alternatives > config.alternatives:
        raise RequestError(
            f"alternatives must be at most {config.alternatives}; got {given.alternatives}"
        )
    for name in ("beam", "nbest", "sample_beam"):
        value = given.search.get(name, 1)
        if isinstance(value, int) and value > config.beam:
            raise RequestError(f"search.{name} must be at most {config.beam}; got {value:,}")
    options = model.searching(given.search)
    if options.max_length > config.max_length:
        if "max_length" in given.search:
            raise RequestError(
                f"search.max_length must be at most {config.max_length}; got {options.max_length}"
            )
        options = options.model_copy(update={"max_length": config.max_length})
    return Requested(
        options,
        given.part,
        (given.source_language, given.target_language),
        given.timings,
        given.confidence,
        given.minimum_confidence,
        given.alternatives,
        given.alignments,
    )
