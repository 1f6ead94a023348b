"""DeepL's documents: sent, looked at, fetched."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from transduce.server.exchange.bodies import check_texts, text_of
from transduce.server.exchange.endpoint import Exchange, route
from transduce.server.exchange.fields import Upload
from transduce.server.exchange.replies import json_reply
from transduce.server.interfaces.deepl import (
    deepl_fields,
    deepl_form,
    deepl_phrases,
    deepl_target,
    deepl_text,
)
from transduce.server.limits.request_errors import RequestError
from transduce.server.queue.requested import Requested
from transduce.server.service import Service
from transduce.server.texts.documents import Document
from transduce.server.texts.translating import translate
from transduce.server.texts.whole_files import FILES

__all__ = ["deepl_document_routes"]


def deepl_document_routes(service: Service) -> list[Route]:
    """``/v2/document`` and what follows from it."""
    either = ("GET", "POST")
    return [
        route(service, "/v2/document", _send, form=deepl_form),
        route(service, "/v2/document/{number}", _look, form=deepl_form, methods=either),
        route(service, "/v2/document/{number}/result", _fetch, form=deepl_form, methods=either),
    ]


async def _send(exchange: Exchange) -> Response:
    fields = await deepl_fields(exchange)
    service, upload = exchange.service, fields.get("file")
    if not isinstance(upload, Upload):
        raise RequestError("file must be given; got none")
    name = deepl_text(fields, "filename")
    if name is not None:
        upload = Upload(name, upload.content)
    kind = FILES.get(upload.suffix)
    if kind is None:
        raise RequestError(f"file must be one of {', '.join(FILES)}; got another")
    written = deepl_text(fields, "output_format")
    if written is not None and FILES.get(f".{written.lower()}") != kind:
        raise RequestError(f"output_format must be that of the file; got {written[:20]!r}")
    target, source = deepl_target(fields), deepl_text(fields, "source_lang")
    phrases = deepl_phrases(exchange, fields)
    text = text_of(upload.content, "file")
    characters = check_texts([text], service.config.characters, "file")
    exchange.count(characters)
    model, languages, _ = await service.languages.model(source or "auto", target, [text])
    asked = Requested(model.searching({}), languages=languages)
    left = Exchange(exchange.request, service, stays=True)

    async def work() -> bytes:
        cut = [kind.cut(text)]
        found = await translate(left, model, asked, cut, html=kind.is_html, phrases=phrases)
        return found[0].text.encode(errors="replace")

    document = Document(upload.name, characters, len(upload.content))
    service.documents.take(document, work())
    return json_reply({"document_id": document.number, "document_key": document.key})


async def _look(exchange: Exchange) -> Response:
    document = await _known(exchange)
    told = {"document_id": document.number, "status": await document.state()}
    if document.error:
        return json_reply({**told, "error_message": document.error})
    if document.content is None:
        return json_reply({**told, "seconds_remaining": 1})
    return json_reply({**told, "billed_characters": document.characters})


async def _fetch(exchange: Exchange) -> Response:
    document = await _known(exchange)
    content = exchange.service.documents.fetch(document)
    return Response(content, media_type="application/octet-stream")


async def _known(exchange: Exchange) -> Document:
    fields = await deepl_fields(exchange)
    number = str(exchange.request.path_params["number"])
    return exchange.service.documents.get(number, deepl_text(fields, "document_key") or "")
