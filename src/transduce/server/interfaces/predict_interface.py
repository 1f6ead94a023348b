"""Our own interface: ``POST /predict`` with all that a search can be asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from transduce.config.base import Bounds, Section, Text
from transduce.config.wording import describe
from transduce.errors import DataError
from transduce.server.exchange.bodies import check_texts, json_of
from transduce.server.exchange.endpoint import Exchange, route
from transduce.server.exchange.fields import Upload, given_form
from transduce.server.exchange.replies import json_bytes, json_reply
from transduce.server.exchange.streaming import in_order
from transduce.server.limits.request_errors import RequestError
from transduce.server.limits.serve_config import ServeConfig
from transduce.server.queue.requested import Requested
from transduce.server.service import Service
from transduce.server.shelf.loaded_model import LoadedModel
from transduce.workflow.predicting.output import answer_record, unanswered

__all__ = [
    "NOT_ASKED",
    "PredictRequest",
    "asked_of",
    "given_request",
    "predict_routes",
    "valid_request",
]

Body = TypeVar("Body", bound=Section)

# What a client may say of a search: all but what only the machine's owner knows about.
NOT_ASKED = ("batch_tokens",)


class PredictRequest(Section):
    """The body of ``POST /predict``."""

    source: str | None = None
    sources: list[str] | None = None
    model: Text | None = None
    adapter: Text | None = None
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
    exchange.admit()
    service = exchange.service
    given, files = await given_request(exchange)
    asked_for = valid_request(PredictRequest, given)
    model = await service.shelf.get(asked_for.model)
    asked = asked_of(asked_for, model, service.config)
    if model.kind == "text":
        sources = _texts(exchange, asked_for, files)
        if asked_for.stream:
            return await _streamed(exchange, model, asked, sources)
        found = await service.outputs(exchange, model, asked, sources)
        answers = [answer_record(outputs) for outputs in found]
    else:
        if asked_for.source is not None or asked_for.sources is not None or not files:
            raise RequestError(
                f"sources must be files of a form, named file, for a model of {model.kind}; "
                "got none"
            )
        if asked_for.stream:
            raise RequestError("stream must be false for files; got true")
        answers = [await _of_file(exchange, model, asked, file) for file in files]
    if asked_for.source is not None or (files and len(answers) == 1):
        if "error" in answers[0]:
            raise RequestError(str(answers[0]["error"]))
        return json_reply({"model": model.name, **answers[0]})
    return json_reply({"model": model.name, "answers": answers})


async def given_request(exchange: Exchange) -> tuple[dict[str, Any], list[Upload]]:
    """The body, and files that came with it: in a form it is the field ``request``."""
    kind = exchange.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        return json_of(await exchange.body()), []
    form = await given_form(exchange)
    files = [value for _, value in form if isinstance(value, Upload)]
    told = [value for name, value in form if name == "request" and isinstance(value, str)]
    return (json_of(told[0].encode(errors="replace")) if told else {}), files


def _texts(exchange: Exchange, asked_for: PredictRequest, files: Sequence[Upload]) -> list[str]:
    if (asked_for.source is None) == (asked_for.sources is None) or files:
        raise RequestError("body must hold either source or sources; got both or neither")
    config = exchange.service.config
    sources = [asked_for.source] if asked_for.source is not None else asked_for.sources or []
    if len(sources) > config.sources:
        raise RequestError(f"sources must be at most {config.sources:,}; got {len(sources):,}", 413)
    exchange.count(check_texts(sources, config.characters, "sources"))
    return sources


async def _of_file(
    exchange: Exchange, model: LoadedModel, asked: Requested, file: Upload
) -> dict[str, Any]:
    """The answer of one recording or picture; an error in its place, but for what is too large."""
    service = exchange.service
    try:
        if model.kind == "image":
            source = await service.picture(model, file.content)
            found = await service.outputs(exchange, model, asked, [source])
            return answer_record(found[0])
        # What is said of a whole (how sure, the n best) needs the whole.
        whole = asked.confidence or asked.least is not None or model.guesses
        recorded = await exchange.recorded(model, file.content, guesses=whole)
        answers = await service.outputs(exchange, model, asked, recorded.sources)
        return answer_record(recorded.whole(answers))
    except DataError as error:
        return answer_record([unanswered(error)])


async def _streamed(
    exchange: Exchange, model: LoadedModel, asked: Requested, sources: Sequence[str]
) -> Response:
    """A line of JSON for each source, in order, as they are answered."""
    if not sources:
        return Response(b"", media_type="application/x-ndjson")
    found = await in_order(exchange, model, asked, sources)

    async def lines() -> AsyncIterator[bytes]:
        async for number, outputs in found:
            yield json_bytes({"index": number, **answer_record(outputs)}) + b"\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def valid_request(kind: type[Body], values: dict[str, Any]) -> Body:
    """A body as its class has it. Raises RequestError."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise RequestError(describe(error, kind, values)) from None


def asked_of(given: PredictRequest, model: LoadedModel, config: ServeConfig) -> Requested:
    """What is asked of a model, held to the server's limits. Raises TransduceError."""
    for name in NOT_ASKED:
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
        given.adapter,
    )
