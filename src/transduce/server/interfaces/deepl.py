"""DeepL's interface, version 2: translations, languages, usage, glossaries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from transduce.server.exchange.bodies import check_texts, text_list
from transduce.server.exchange.endpoint import Exchange, route
from transduce.server.exchange.fields import given_fields
from transduce.server.exchange.replies import json_reply
from transduce.server.limits.keys import KeyRefusedError
from transduce.server.limits.request_errors import RequestError
from transduce.server.queue.requested import Requested
from transduce.server.service import Service
from transduce.server.texts.glossaries import Glossary, read_entries
from transduce.server.texts.markup import markup_pieces
from transduce.server.texts.translating import Phrases, translate

__all__ = [
    "deepl_fields",
    "deepl_form",
    "deepl_phrases",
    "deepl_routes",
    "deepl_target",
    "deepl_text",
]

_UNLIMITED = 1_000_000_000_000  # as DeepL says it of accounts without a limit
_QUOTA = 456  # DeepL's own status


def deepl_routes(service: Service) -> list[Route]:
    """All addresses of it."""
    either, get = ("GET", "POST"), ("GET",)
    return [
        route(service, "/v2/translate", _translate, form=deepl_form, methods=either),
        route(service, "/v2/languages", _languages, form=deepl_form, methods=either),
        route(service, "/v2/usage", _usage, form=deepl_form, methods=either),
        route(service, "/v2/glossary-language-pairs", _pairs, form=deepl_form, methods=get),
        route(service, "/v2/glossaries", _glossaries, form=deepl_form, methods=either),
        route(service, "/v2/glossaries/{number}/entries", _entries, form=deepl_form, methods=get),
        route(
            service,
            "/v2/glossaries/{number}",
            _glossary,
            form=deepl_form,
            methods=("GET", "DELETE"),
        ),
    ]


def deepl_form(error: RequestError) -> tuple[int, Mapping[str, Any]]:
    """403 for a wrong key; 456 where the day's characters are used up."""
    status = error.status
    if isinstance(error, KeyRefusedError):
        status = 403
    elif status == 429 and str(error).startswith("characters"):
        status = _QUOTA
    return status, {"message": str(error)}


async def deepl_fields(exchange: Exchange) -> dict[str, Any]:
    """All named values, once who asks was let in. Raises RequestError."""
    fields = await given_fields(exchange, many=("text",))
    key = fields.get("auth_key")
    exchange.admit(key if isinstance(key, str) else None)
    return fields


async def _translate(exchange: Exchange) -> Response:
    fields = await deepl_fields(exchange)
    service = exchange.service
    texts = text_list(fields.get("text"), "text", service.config.sources)
    exchange.count(check_texts(texts, service.config.characters))
    target, source = deepl_target(fields), deepl_text(fields, "source_lang")
    model, languages, known = await service.languages.model(source or "auto", target, texts)
    tags = deepl_text(fields, "tag_handling")
    if tags not in (None, "html", "xml"):
        raise RequestError(f"tag_handling must be html or xml; got {tags[:20]!r}")
    given = fields.get("split_sentences", "1")
    split = str(int(given) if given in (0.0, 1.0) and not isinstance(given, bool) else given)
    if split not in ("0", "1", "nonewlines"):
        raise RequestError(f"split_sentences must be 0, 1 or nonewlines; got {split[:20]!r}")
    asked = Requested(model.searching({}), languages=languages)
    phrases = deepl_phrases(exchange, fields)
    found = await translate(
        exchange,
        model,
        asked,
        [markup_pieces(text) if tags else text for text in texts],
        sentences=split != "0",
        html=tags is not None,
        phrases=phrases,
    )
    return json_reply(
        {
            "translations": [
                {
                    "detected_source_language": known.upper(),
                    "text": own.text,
                    "billed_characters": len(text),
                }
                for own, text in zip(found, texts, strict=True)
            ]
        }
    )


async def _languages(exchange: Exchange) -> Response:
    fields = await deepl_fields(exchange)
    kind = fields.get("type", "source")
    if kind not in ("source", "target"):
        raise RequestError("type must be source or target; got another")
    place = ("source", "target").index(kind)
    pairs = [pair for own in exchange.service.languages.pairs() for pair in own.both]
    codes = dict.fromkeys(pair[place] for pair in pairs)
    extra = {"supports_formality": False} if kind == "target" else {}
    return json_reply([{"language": code.upper(), "name": code, **extra} for code in codes])


async def _usage(exchange: Exchange) -> Response:
    await deepl_fields(exchange)
    quotas = exchange.service.quotas
    _, most = quotas.limits(exchange.holder)
    used = quotas.used(exchange.holder)
    return json_reply({"character_count": used, "character_limit": most or _UNLIMITED})


async def _pairs(exchange: Exchange) -> Response:
    await deepl_fields(exchange)
    both = [pair for own in exchange.service.languages.pairs() for pair in own.both]
    pairs = [{"source_lang": a.lower(), "target_lang": b.lower()} for a, b in both[:1000]]
    return json_reply({"supported_languages": pairs})


async def _glossaries(exchange: Exchange) -> Response:
    fields = await deepl_fields(exchange)
    book = exchange.service.glossaries
    if exchange.request.method == "GET":
        own = book.all_of(exchange.holder)
        return json_reply({"glossaries": [_described(one) for one in own]})
    needed = [deepl_text(fields, n) for n in ("name", "source_lang", "target_lang", "entries")]
    name, source, target, entries = (text or "" for text in needed)
    if not (name and source and target and entries):
        raise RequestError("name, source_lang, target_lang and entries must be given; got fewer")
    check_texts([name, source, target], 3000, "names")
    check_texts([entries], exchange.service.config.characters, "entries")
    terms = read_entries(entries, deepl_text(fields, "entries_format") or "tsv")
    glossary = Glossary(name, source, target, terms, exchange.holder)
    book.add(glossary)
    return json_reply(_described(glossary), 201)


async def _glossary(exchange: Exchange) -> Response:
    await deepl_fields(exchange)
    number, book = str(exchange.request.path_params["number"]), exchange.service.glossaries
    if exchange.request.method == "DELETE":
        book.remove(number, exchange.holder)
        return Response(status_code=204)
    return json_reply(_described(book.get(number, exchange.holder)))


async def _entries(exchange: Exchange) -> Response:
    await deepl_fields(exchange)
    number = str(exchange.request.path_params["number"])
    entries = exchange.service.glossaries.get(number, exchange.holder).entries
    text = "".join(f"{source}\t{target}\n" for source, target in entries.items())
    return Response(text.encode(), media_type="text/tab-separated-values; charset=utf-8")


def _described(glossary: Glossary) -> dict[str, Any]:
    created = datetime.fromtimestamp(glossary.created, UTC)
    return {
        "glossary_id": glossary.number,
        "name": glossary.name,
        "ready": True,
        "source_lang": glossary.source.lower(),
        "target_lang": glossary.target.lower(),
        "creation_time": created.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "entry_count": len(glossary.entries),
    }


def deepl_target(fields: Mapping[str, Any]) -> str:
    """The language that is asked for. Raises RequestError where none is."""
    target = deepl_text(fields, "target_lang")
    if target is None:
        raise RequestError("target_lang must be given; got none")
    return target


def deepl_phrases(exchange: Exchange, fields: Mapping[str, Any]) -> Phrases | None:
    """Those of the glossary that is asked for, if one is. Raises RequestError."""
    number = deepl_text(fields, "glossary_id")
    if number is None:
        return None
    return exchange.service.glossaries.get(number, exchange.holder).phrases


def deepl_text(fields: Mapping[str, Any], name: str) -> str | None:
    """A value that is text; None where there is none. Raises RequestError."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise RequestError(f"{name} must be text; got {type(value).__name__}")
    return value
