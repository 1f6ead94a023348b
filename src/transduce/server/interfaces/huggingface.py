"""Hugging Face's inference: a URL for each model, texts, recordings or pictures in."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from transduce.server.exchange.bodies import check_texts, json_of, text_list
from transduce.server.exchange.endpoint import Exchange, route
from transduce.server.exchange.replies import json_reply
from transduce.server.limits.request_errors import RequestError
from transduce.server.queue.requested import Requested
from transduce.server.service import Service
from transduce.server.shelf.language_pairs import LanguagePairs
from transduce.server.shelf.loaded_model import LoadedModel
from transduce.server.texts.translating import translate

__all__ = ["NESTED", "OF_TEXTS", "OPTIONS", "PASSED_OVER", "huggingface_routes"]

# Their names of options, and ours.
OPTIONS = {
    "num_beams": "beam",
    "max_new_tokens": "max_length",
    "do_sample": "sample",
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "repetition_penalty": "repetition_penalty",
    "no_repeat_ngram_size": "no_repeat_ngram",
}
# What bears on their tokenizers alone.
PASSED_OVER = ("clean_up_tokenization_spaces", "truncation", "return_text", "return_tensors")
NESTED = ("generate_parameters", "generation_parameters")
OF_TEXTS, _OF_RECORDINGS = ("src_lang", "tgt_lang"), ("return_timestamps",)


def huggingface_routes(service: Service) -> list[Route]:
    """``/models/NAME``."""
    return [route(service, "/models/{model}", _infer)]


async def _infer(exchange: Exchange) -> Response:
    exchange.admit()
    service = exchange.service
    body = await exchange.body()
    kind = exchange.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    model = await service.shelf.get(str(exchange.request.path_params["model"]))
    values: Mapping[str, Any] = {}
    if kind == "application/json" or model.kind == "text":
        values = json_of(body)
    parameters = values.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise RequestError("parameters must be an object; got another")
    if model.kind == "text":
        return await _texts(exchange, model, values.get("inputs"), parameters)
    content = _decoded(values.get("inputs")) if kind == "application/json" else body
    options = model.searching(_search(parameters, exchange, _OF_RECORDINGS))
    if model.kind == "image":
        source = await service.picture(model, content)
        found = await service.outputs(exchange, model, Requested(options), [source])
        if found[0][0].error:
            raise RequestError(found[0][0].error)
        return json_reply([{"generated_text": output.text} for output in found[0]])
    timings = parameters.get("return_timestamps") in (True, "word")
    recorded = await exchange.recorded(model, content, guesses=model.guesses)
    asked = Requested(options, timings=timings)
    answers = await service.outputs(exchange, model, asked, recorded.sources)
    whole = recorded.whole(answers)[0]
    reply: dict[str, Any] = {"text": whole.text}
    if timings:
        reply["chunks"] = [
            {"text": word.text, "timestamp": [word.start, word.end]} for word in whole.words
        ]
    return json_reply(reply)


async def _texts(
    exchange: Exchange, model: LoadedModel, inputs: object, parameters: Mapping[str, Any]
) -> Response:
    texts = text_list(inputs, "inputs", exchange.service.config.sources)
    exchange.count(check_texts(texts, exchange.service.config.characters, "inputs"))
    languages: tuple[str | None, str | None] = (None, None)
    source, target = parameters.get("src_lang"), parameters.get("tgt_lang")
    if source is not None or target is not None:
        if not isinstance(source, str) or not isinstance(target, str):
            raise RequestError("src_lang and tgt_lang must both be codes; got another")
        languages = LanguagePairs.of(model).chosen(source, target)
    given = _search(parameters, exchange, OF_TEXTS)
    asked = Requested(model.searching(given), languages=languages)
    found = await translate(exchange, model, asked, texts)
    # A client reads the key of its task; which one it has asked for, it does not say.
    keys = ("translation_text", "generated_text", "summary_text")
    return json_reply([dict.fromkeys(keys, own.text) for own in found])


def _search(
    parameters: Mapping[str, Any], exchange: Exchange, others: tuple[str, ...]
) -> dict[str, Any]:
    """Our options by theirs. Raises RequestError for one that we do not have."""
    inner: dict[str, Any] = {}
    for name in NESTED:
        own = parameters.get(name)
        if own is not None and not isinstance(own, dict):
            raise RequestError(f"{name} must be an object; got another")
        inner |= own or {}
    config, found = exchange.service.config, {}
    for name, value in {**parameters, **inner}.items():
        if name in (*NESTED, *others, *PASSED_OVER):
            continue
        if name not in OPTIONS:
            known = ", ".join((*OPTIONS, *others))
            raise RequestError(f"parameters must be of {known}; got {name[:50]!r}")
        if value is not None:
            found[OPTIONS[name]] = value
    for name, most in (("beam", config.beam), ("max_length", config.max_length)):
        if isinstance(found.get(name), int) and found[name] > most:
            raise RequestError(f"{name} must be at most {most}; got {found[name]:,}")
    return found


def _decoded(inputs: object) -> bytes:
    if not isinstance(inputs, str):
        raise RequestError("inputs must be the content of a file in base64; got another")
    try:
        return base64.b64decode(inputs, validate=True)
    except (binascii.Error, ValueError):
        raise RequestError("inputs must be the content of a file in base64; got another") from None
