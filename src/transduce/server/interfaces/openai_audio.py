"""OpenAI's interface to recordings: transcriptions in all their forms, and the list of models."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from transduce.audio.subtitles import VTT_HEAD, cues, srt_text, vtt_text
from transduce.server.exchange.endpoint import Exchange, route
from transduce.server.exchange.fields import Upload, given_form
from transduce.server.exchange.replies import json_bytes, json_reply
from transduce.server.exchange.streaming import in_order
from transduce.server.limits.request_errors import RequestError
from transduce.server.queue.requested import Requested
from transduce.server.service import Service
from transduce.server.shelf.loaded_model import LoadedModel
from transduce.server.shelf.media import Recorded
from transduce.workflow.predicting.output import Output

__all__ = ["openai_routes"]

_FORMS = ("json", "text", "srt", "verbose_json", "vtt")
_TIMED = ("srt", "verbose_json", "vtt")
_HOTTEST = 2.0


def openai_routes(service: Service) -> list[Route]:
    """``/v1/audio/transcriptions`` and ``/v1/models``."""
    return [
        route(service, "/v1/audio/transcriptions", _transcriptions, form=_form),
        route(service, "/v1/models", _models, form=_form, methods=("GET",)),
        route(service, "/v1/models/{model}", _model, form=_form, methods=("GET",)),
    ]


def _form(error: RequestError) -> tuple[int, Mapping[str, Any]]:
    codes = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    told = {"message": str(error), "type": kind, "param": None, "code": codes.get(error.status)}
    return error.status, {"error": told}


async def _models(exchange: Exchange) -> Response:
    exchange.admit()
    data = [_card(name) for name in exchange.service.shelf.names]
    return json_reply({"object": "list", "data": data})


async def _model(exchange: Exchange) -> Response:
    exchange.admit()
    name = str(exchange.request.path_params["model"])
    if name not in exchange.service.shelf.names:
        raise RequestError(f"The model {name[:100]!r} does not exist", 404)
    return json_reply(_card(name))


def _card(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "transduce"}


async def _transcriptions(exchange: Exchange) -> Response:
    exchange.admit()
    form = await given_form(exchange)
    fields = {name: value for name, value in form if isinstance(value, str)}
    files = [value for name, value in form if isinstance(value, Upload) and name == "file"]
    if len(files) != 1:
        raise RequestError(f"file must be given once; got {len(files)}")
    written = fields.get("response_format", "json")
    if written not in _FORMS:
        raise RequestError(
            f"response_format must be one of {', '.join(_FORMS)}; got {written[:50]}"
        )
    kinds = {v for n, v in form if n.startswith("timestamp_granularities") and isinstance(v, str)}
    if kinds - {"word", "segment"}:
        raise RequestError("timestamp_granularities must be word or segment; got another")
    service = exchange.service
    model = await service.shelf.get(fields.get("model"))
    asked = Requested(
        model.searching(_sampling(fields.get("temperature"))),
        languages=(_language(model, fields.get("language")), None),
        timings=written in _TIMED,
    )
    recorded = await exchange.recorded(
        model, files[0].content, guesses=model.guesses and asked.languages[0] is None
    )
    if fields.get("stream", "").lower() in ("true", "1"):
        if written != "json":
            raise RequestError(f"response_format must be json for a stream; got {written}")
        found = await in_order(exchange, model, asked, recorded.sources)
        events = _events(found)
        return StreamingResponse(events, media_type="text/event-stream")
    answers = await service.outputs(exchange, model, asked, recorded.sources)
    return _reply(written, recorded, answers, kinds)


def _reply(
    written: str, recorded: Recorded, answers: Sequence[list[Output]], kinds: set[str]
) -> Response:
    whole = recorded.whole(answers)[0]
    if written == "json":
        usage = {"type": "duration", "seconds": recorded.duration}
        return json_reply({"text": whole.text, "usage": usage})
    if written == "verbose_json":
        return json_reply(_verbose(recorded, answers, whole, kinds))
    texts = {"text": f"{whole.text}\n", "srt": srt_text(whole.words)}
    text = texts.get(written, VTT_HEAD + vtt_text(whole.words))
    return Response(text.encode(errors="replace"), media_type="text/plain; charset=utf-8")


def _verbose(
    recorded: Recorded, answers: Sequence[list[Output]], whole: Output, kinds: set[str]
) -> dict[str, Any]:
    reply: dict[str, Any] = {
        "task": "transcribe",
        "language": whole.language or "und",
        "duration": recorded.duration,
        "text": whole.text,
    }
    if "word" in kinds:
        reply["words"] = [
            {"word": word.text, "start": word.start, "end": word.end} for word in whole.words
        ]
    if not kinds or "segment" in kinds:
        reply["segments"] = [
            segment
            for number, outputs in enumerate(answers)
            for segment in _segments(recorded.shifted(number, outputs)[0])
        ]
        for number, segment in enumerate(reply["segments"]):
            segment["id"] = number
    return reply


def _segments(output: Output) -> list[dict[str, Any]]:
    """As subtitles are cut; log-probability and tokens are those of the window."""
    count = max(1, len(output.token_scores))
    return [
        {
            "id": 0,
            "seek": 0,
            "start": cue[0].start,
            "end": cue[-1].end,
            "text": " ".join(word.text for word in cue),
            "tokens": list(output.numbers),
            "temperature": 0.0,
            "avg_logprob": output.log_probability / count,
            "compression_ratio": 1.0,
            "no_speech_prob": 0.0,
        }
        for cue in cues(output.words)
    ]


async def _events(found: AsyncIterator[tuple[int, list[Output]]]) -> AsyncIterator[bytes]:
    """A piece of the text as each window is answered, and the whole at the end."""
    whole = ""
    async for _, outputs in found:
        if outputs[0].error:
            told = _form(RequestError(outputs[0].error))[1]
            yield _event({"type": "error", **told})
            return
        delta = f" {outputs[0].text}" if whole and outputs[0].text else outputs[0].text
        whole += delta
        yield _event({"type": "transcript.text.delta", "delta": delta})
    yield _event({"type": "transcript.text.done", "text": whole})
    yield b"data: [DONE]\n\n"


def _event(value: Mapping[str, Any]) -> bytes:
    return b"data: " + json_bytes(value) + b"\n\n"


def _sampling(temperature: str | None) -> dict[str, Any]:
    """0 is the best output; above it one is drawn."""
    if temperature in (None, "", "0", "0.0"):
        return {}
    try:
        value = float(json.loads(str(temperature)))
    except (ValueError, TypeError, RecursionError):
        value = -1.0
    if not 0 <= value <= _HOTTEST:
        raise RequestError(f"temperature must be from 0 to {_HOTTEST:g}; got {temperature[:20]!r}")
    if not value:
        return {}
    return {"sample": True, "temperature": max(value, 0.001), "beam": 1, "nbest": 1}


def _language(model: LoadedModel, language: str | None) -> str | None:
    """What a model of many languages is told; another hears only what it has learned."""
    if not language or not model.codes:
        return None
    if language not in model.codes:
        known = ", ".join(sorted(model.codes)[:100])
        raise RequestError(f"language must be one of {known}; got {language[:50]!r}")
    return language
