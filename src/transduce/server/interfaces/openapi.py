"""What the server's addresses are, as an OpenAPI document, and a page that shows it.

The page needs nothing from another host: one file of HTML, under a policy that permits no more.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Set
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from transduce import __version__
from transduce.server.exchange.endpoint import Exchange, route
from transduce.server.exchange.replies import json_reply
from transduce.server.interfaces.request_schemas import (
    ENTRIES,
    beside_files,
    explain_schema,
    in_a_form,
    nullable,
    parameters_schema,
    predict_schema,
)
from transduce.server.limits.serve_config import ServeConfig
from transduce.server.service import Service

__all__ = ["openapi_document", "openapi_routes"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color-scheme:light dark}code,pre{font-size:.9em}pre{overflow:auto;padding:.75rem;"
    "border:1px solid #8886;border-radius:.5rem}h2{margin-top:2rem}"
)

Schema = Mapping[str, Any]

_TEXT: Schema = {"type": "string"}
_SOME: Schema = {"type": "string", "minLength": 1}
_TEXTS: Schema = {"oneOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
_SOME_TEXTS: Schema = {"oneOf": [_SOME, {"type": "array", "items": _TEXT, "minItems": 1}]}
_FILE: Schema = {"type": "string", "format": "binary"}
_FORMATS = ["json", "text", "srt", "verbose_json", "vtt"]
_LIBRE, _GLOSSARY = ("q", "source", "target"), ("name", "source_lang", "target_lang", "entries")


def openapi_routes(service: Service) -> list[Route]:
    """``/openapi.json`` and ``/docs``."""
    return [
        route(service, "/openapi.json", _document, methods=("GET",)),
        route(service, "/docs", _page, methods=("GET",)),
    ]


async def _document(exchange: Exchange) -> Response:
    return json_reply(_of(exchange.service))


async def _page(exchange: Exchange) -> Response:
    return Response(
        _shown(_of(exchange.service)).encode(),
        media_type="text/html; charset=utf-8",
        headers={"content-security-policy": _POLICY},
    )


def _of(service: Service) -> dict[str, Any]:
    kinds = {service.shelf.told(name).kind for name in service.shelf.names}
    return openapi_document(service.config, kinds, keyed=bool(service.ring.entries))


def openapi_document(config: ServeConfig, kinds: Set[str], *, keyed: bool) -> dict[str, Any]:
    """The addresses that serve models of these ``kinds``, held to the server's limits; with a key
    where it wants one.
    """
    predict = predict_schema(config, timed="audio" in kinds)
    explain = explain_schema(config)
    alternatives = {"type": "integer", "minimum": 0, "maximum": config.alternatives}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Transduce", "version": __version__},
        "paths": {
            "/predict": {"post": _operation("Answer sources.", _or_files(predict, kinds))},
            "/explain": {"post": _operation("Say why, or show the search.",
                                            _or_files(explain, kinds))},
            "/translate": {"post": _fields("LibreTranslate: translate.", _LIBRE, {
                "q": _SOME_TEXTS, "source": _SOME, "target": _SOME,
                "alternatives": nullable(alternatives),
                "format": {"enum": ["text", "html", "", None]}, "api_key": nullable(_TEXT),
            }, form={"q": _SOME})},
            "/detect": {"post": _fields("LibreTranslate: detect.", ("q",), {"q": _SOME})},
            "/languages": {"get": _operation("LibreTranslate: languages.")},
            "/frontend/settings": {"get": _operation("LibreTranslate: limits.")},
            "/translate_file": {"post": _operation("LibreTranslate: translate a file.", {
                "multipart/form-data": _object(("file", "source", "target"), {
                    "file": _FILE, "source": _SOME, "target": _SOME, "api_key": _TEXT,
                })})},
            "/v1/audio/transcriptions": {"post": _operation("OpenAI: what is said.", {
                "multipart/form-data": _object(("file", "model"), {
                    "file": _FILE, "model": _TEXT, "language": _TEXT, "stream": _TEXT,
                    "response_format": {"type": "string", "enum": _FORMATS},
                    "temperature": {"type": "number", "minimum": 0, "maximum": 2},
                })})},
            "/v1/models": {"get": _operation("OpenAI: models.")},
            "/v2/translate": {
                "get": _operation("DeepL: translate.", queries={
                    "text": _TEXT, "target_lang": _SOME,
                }),
                "post": _fields("DeepL: translate.", ("text", "target_lang"), {
                    "text": _TEXTS, "target_lang": _SOME, "source_lang": nullable(_TEXT),
                    "glossary_id": nullable(_TEXT),
                    "tag_handling": {"enum": ["html", "xml", "", None]},
                    "split_sentences": {"enum": ["0", "1", "nonewlines", 0, 1]},
                }),
            },
            "/v2/document": {"post": _operation("DeepL: send a document.", {
                "multipart/form-data": _object(("file", "target_lang"), {
                    "file": _FILE, "target_lang": _SOME, "source_lang": _TEXT, "filename": _TEXT,
                    "glossary_id": _TEXT, "output_format": _TEXT,
                })})},
            "/v2/languages": _either("DeepL: languages."),
            "/v2/usage": _either("DeepL: characters of today."),
            "/v2/glossaries": {
                "get": _operation("DeepL: glossaries."),
                "post": _fields("DeepL: make a glossary.", _GLOSSARY, {
                    "name": _SOME, "source_lang": _SOME, "target_lang": _SOME, "entries": _SOME,
                    "entries_format": {"type": "string", "enum": ["tsv", "csv"]},
                }, ENTRIES, made=True),
            },
            "/models/{model}": {"post": _operation("Hugging Face: inference by one model.", {
                "application/json": _object(("inputs",), {
                    "inputs": _TEXTS, "parameters": nullable(parameters_schema(config)),
                })}, ("model",))},
            "/health": {"get": _operation("Whether the server is there.")},
            "/ready": {"get": _operation("Whether it answers.")},
            "/metrics": {"get": _operation("Numbers for Prometheus.")},
        },
        "components": {},
    }  # fmt: skip
    if "audio" not in kinds:
        del document["paths"]["/v1/audio/transcriptions"]
    if keyed:
        scheme = {"type": "http", "scheme": "bearer"}
        document["components"]["securitySchemes"] = {"key": scheme}
        document["security"] = [{"key": []}]
    return document


def _object(required: tuple[str, ...], properties: Schema) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": dict(properties)}


def _or_files(schema: Schema, kinds: Set[str]) -> dict[str, Any]:
    """As JSON for models of texts, as JSON in a form beside files for others."""
    form = _object(("file",), {"request": beside_files(schema), "file": _FILE})
    found: dict[str, Any] = {"application/json": schema} if "text" in kinds else {}
    return found | ({"multipart/form-data": form} if kinds - {"text"} else {})


def _fields(
    summary: str,
    required: tuple[str, ...],
    properties: Schema,
    more: Schema | None = None,
    *,
    form: Schema | None = None,
    made: bool = False,
) -> dict[str, Any]:
    """As JSON or as a form, which has some properties of its own; both as ``more`` says."""
    both = {
        "application/json": properties,
        "application/x-www-form-urlencoded": {
            **{name: in_a_form(schema) for name, schema in properties.items()},
            **(form or {}),
        },
    }
    bodies = {kind: {**_object(required, own), **(more or {})} for kind, own in both.items()}
    return _operation(summary, bodies, made=made)


def _either(summary: str) -> dict[str, Any]:
    """By GET or POST, without a body."""
    return {"get": _operation(summary), "post": _operation(summary)}


def _operation(
    summary: str,
    bodies: Schema | None = None,
    names: tuple[str, ...] = (),
    *,
    queries: Schema | None = None,
    made: bool = False,
) -> dict[str, Any]:
    """What may come back is said for all alike; errors are those of the interface.

    ``names`` are fields of the path, ``queries`` of the query; all of them must be given.
    """
    refusals = ("400", "401", "403", "404", "408", "413", "429", "456", "500", "503")
    answers = {"201" if made else "200": {"description": "The answer."}}
    answers |= {status: {"description": "Why there is none."} for status in refusals}
    operation: dict[str, Any] = {"summary": summary, "responses": answers}
    if bodies:
        content: dict[str, Any] = {kind: {"schema": schema} for kind, schema in bodies.items()}
        form = content.get("multipart/form-data", {"schema": {}})
        if "request" in form["schema"].get("properties", {}):
            form["encoding"] = {"request": {"contentType": "application/json"}}
        operation["requestBody"] = {"required": True, "content": content}
    places = [("path", name, _SOME) for name in names]
    places += [("query", name, schema) for name, schema in (queries or {}).items()]
    if places:
        operation["parameters"] = [
            {"name": name, "in": place, "required": True, "schema": schema}
            for place, name, schema in places
        ]
    return operation


def _shown(document: Mapping[str, Any]) -> str:
    parts = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            head = f"{method.upper()} {path}"
            parts.append(f"<h2><code>{html.escape(head)}</code></h2>")
            parts.append(f"<p>{html.escape(operation['summary'])}</p>")
            for kind, own in operation.get("requestBody", {}).get("content", {}).items():
                schema = json.dumps(own["schema"].get("properties", {}), indent=1)
                parts.append(f"<details><summary>{html.escape(kind)}</summary>")
                parts.append(f"<pre>{html.escape(schema)}</pre></details>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Transduce</title>'
        f"<style>{_STYLE}</style><h1>Transduce {html.escape(__version__)}</h1>"
        '<p>As a document for programs: <a href="openapi.json">openapi.json</a></p>'
        f"{''.join(parts)}</html>"
    )
