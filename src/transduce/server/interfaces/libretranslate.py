"""LibreTranslate's interface: its addresses, its fields, its errors (400 and never 422)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from transduce.server.exchange.bodies import check_texts, text_list, text_of
from transduce.server.exchange.endpoint import Exchange, route
from transduce.server.exchange.fields import Upload, given_fields, given_form
from transduce.server.exchange.replies import json_reply
from transduce.server.limits.keys import KeyRefusedError
from transduce.server.limits.request_errors import RequestError
from transduce.server.queue.requested import Requested
from transduce.server.service import Service
from transduce.server.texts.translating import translate
from transduce.server.texts.whole_files import FILES

__all__ = ["libretranslate_routes"]


def libretranslate_routes(service: Service) -> list[Route]:
    """All addresses of it."""
    return [
        route(service, "/translate", _translate, form=_form),
        route(service, "/detect", _detect, form=_form),
        route(service, "/languages", _languages, form=_form, methods=("GET",)),
        route(service, "/frontend/settings", _settings, form=_form, methods=("GET",)),
        route(service, "/translate_file", _translate_file, form=_form),
        route(service, "/download_file/{name}", _download, form=_form, methods=("GET",)),
    ]


def _form(error: RequestError) -> tuple[int, Mapping[str, Any]]:
    """As their clients know it: 403 for a wrong key, 400 for none."""
    if isinstance(error, KeyRefusedError):
        if error.missing:
            return 400, {"error": "Please contact the server operator to get an API key"}
        return 403, {"error": "Invalid API key"}
    return error.status, {"error": f"Slowdown: {error}" if error.status == 429 else str(error)}


async def _translate(exchange: Exchange) -> Response:
    fields = await given_fields(exchange)
    exchange.admit(_key(fields))
    q, source, target = (_needed(fields, name) for name in ("q", "source", "target"))
    texts = text_list(q, "q", exchange.service.config.sources)
    exchange.count(check_texts(texts, exchange.service.config.characters, "q"))
    html = _is_html(fields.get("format"))
    count = _alternatives(fields.get("alternatives"), exchange.service.config.alternatives)
    languages = exchange.service.languages
    source, target = _text(source, "source"), _text(target, "target")
    model, told, _ = await languages.model(source, target, texts)
    search = model.searching({"nbest": count + 1} if count else {})
    asked = Requested(search, languages=told)
    found = await translate(exchange, model, asked, texts, html=html)
    many = isinstance(q, list)
    reply: dict[str, Any] = {"translatedText": [t.text for t in found] if many else found[0].text}
    if source == "auto":
        known = [_guess(*languages.detected([text], target)) for text in texts]
        reply["detectedLanguage"] = known if many else known[0]
    if count:
        others = [list(t.alternatives)[:count] for t in found]
        reply["alternatives"] = others if many else others[0]
    return json_reply(reply)


async def _detect(exchange: Exchange) -> Response:
    fields = await given_fields(exchange)
    exchange.admit(_key(fields))
    text = _text(_needed(fields, "q"), "q")
    check_texts([text], exchange.service.config.characters, "q")
    return json_reply([_guess(*exchange.service.languages.detected([text]))])


def _guess(language: str, share: float) -> dict[str, Any]:
    return {"confidence": round(100 * share, 1), "language": language}


async def _languages(exchange: Exchange) -> Response:
    return json_reply(exchange.service.languages.listed())


async def _translate_file(exchange: Exchange) -> Response:
    form = await given_form(exchange)
    fields = {name: value for name, value in form if isinstance(value, str)}
    exchange.admit(_key(fields))
    files = [value for name, value in form if isinstance(value, Upload) and name == "file"]
    if not files:
        raise RequestError("Invalid request: missing file parameter")
    source, target = (_text(_needed(fields, name), name) for name in ("source", "target"))
    upload, service = files[0], exchange.service
    kind = FILES.get(upload.suffix)
    if kind is None:
        raise RequestError("Invalid request: file format not supported")
    text = text_of(upload.content, "file")
    exchange.count(check_texts([text], service.config.characters, "file"))
    model, told, _ = await service.languages.model(source, target, [text])
    asked = Requested(model.searching({}), languages=told)
    found = await translate(exchange, model, asked, [kind.cut(text)], html=kind.is_html)
    name = service.finished.keep(upload.name, found[0].text.encode(errors="replace"))
    url = exchange.request.url.replace(path=f"/download_file/{name}", query="")
    return json_reply({"translatedFileUrl": str(url)})


async def _download(exchange: Exchange) -> Response:
    """Whoever knows the name, which holds 122 random bits, may have the file; for half an hour."""
    name = str(exchange.request.path_params["name"])
    content = exchange.service.finished.get(name)
    if content is None:
        raise RequestError("Invalid filename", 404)
    disposition = f'attachment; filename="{name.partition(".")[2]}"'
    return Response(
        content,
        media_type="application/octet-stream",
        headers={"content-disposition": disposition},
    )


async def _settings(exchange: Exchange) -> Response:
    service = exchange.service
    keyed = bool(service.ring.entries)
    first = service.languages.pairs()[0].both[0]
    both = zip(("source", "target"), first, strict=True)
    return json_reply(
        {
            "charLimit": service.config.characters,
            "frontendTimeout": 500,
            "apiKeys": keyed,
            "keyRequired": keyed,
            "suggestions": False,
            "filesTranslation": True,
            "supportedFilesFormat": [".txt", ".srt", ".html"],
            "language": {side: {"code": code, "name": code} for side, code in both},
        }
    )


def _key(fields: Mapping[str, Any]) -> str | None:
    key = fields.get("api_key")
    return None if key is None else _text(key, "api_key")


def _is_html(form: object) -> bool:
    if form not in (None, "", "text", "html"):
        raise RequestError(f"{str(form)[:50]} format is not supported")
    return form == "html"


def _needed(fields: Mapping[str, Any], name: str) -> Any:
    if not fields.get(name):
        raise RequestError(f"Invalid request: missing {name} parameter")
    return fields[name]


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{name} must be text; got {type(value).__name__}")
    return value


def _alternatives(value: object, most: int) -> int:
    if value in (None, "", 0, "0") and value is not False:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON's 2.0 is 2
    text = str(value)
    if isinstance(value, bool) or not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise RequestError(f"alternatives must be a whole number; got {text[:20]!r}")
    if int(text) > most:
        raise RequestError(f"alternatives must be at most {most}; got {int(text):,}")
    return int(text)
