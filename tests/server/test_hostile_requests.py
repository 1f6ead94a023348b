"""What strangers send: drawn from the OpenAPI document, and by hand."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from reversal_run import Run
from served_models import picture
from started import Keyed, Started, multipart, started

EXAMPLES = 3  # of each address
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def small(run: Run) -> Iterator[Started]:
    with started({"reverse": run.folder}, characters=500, body_bytes=50_000) as own:
        yield own


def document(server: Started) -> dict[str, Any]:
    found: dict[str, Any] = server.ask("GET", "/openapi.json").json
    return found


def test_what_the_document_describes_is_answered_or_refused(small: Started) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from schemathesis import checks

    own = (
        checks.not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    )
    schema = schemathesis.openapi.from_dict(document(small))
    asked: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            asked.append(case.path)
            reply = case.call_and_validate(base_url=small.url, checks=own)
            assert "Traceback" not in reply.text

        ask()
    assert len(set(asked)) == len(document(small)["paths"])
    assert small.post("/predict", {"source": "abc"}).json["text"] == "cba"


def test_the_document_says_what_no_model_here_can_do(small: Started) -> None:
    for path, key, wrong in (("/predict", "timings", True), ("/explain", "source", "")):
        operation = document(small)["paths"][path]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        told = schema["properties"][key]
        assert told.get("enum") == [False] or told["minLength"] == 1
        assert small.post(path, {"source": "abc", key: wrong}).status == 400


def test_every_address_of_the_document_is_there(small: Started) -> None:
    for path, methods in document(small)["paths"].items():
        for method in methods:
            reply = small.ask(method.upper(), path.replace("{model}", "reverse"))
            assert reply.status not in (404, 405, 500), path


def test_another_method_is_told_which_there_are(small: Started) -> None:
    for path, methods in document(small)["paths"].items():
        reply = small.ask("TRACE", path.replace("{model}", "reverse"))
        assert reply.status == 405, path
        told = {one.strip().lower() for one in reply.headers["allow"].split(",")}
        assert told - {"head"} == set(methods), path


def test_the_page_needs_no_other_host(server: Started) -> None:
    reply = server.ask("GET", "/docs")
    assert b"/translate_file" in reply.body
    assert b"http:" not in reply.body
    assert b"<script" not in reply.body
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/translate", b"{", {"content-type": "application/json"}, 400),
        ("/translate", b'{"q": ' + b"[" * 5000 + b"]" * 5000 + b"}", {}, 400),
        ("/translate", b'{"q":"\\udc00","source":"a","target":"b"}', {}, 400),
        ("/translate", b"q=%ff%fe&source=a&target=b", FORM, 200),
        ("/translate", b"q=a%00b&source=a&target=b", FORM, 200),
        ("/translate", b"q=" + b"a" * 60_000, FORM, 413),
        ("/translate", b"q=abc&source=a&target=b&alternatives=10000", FORM, 400),
        ("/translate", b"&".join(b"a%d=1" % n for n in range(2000)), FORM, 400),
        ("/translate", b"x", {"content-type": "multipart/form-data"}, 400),
        ("/translate", b"x", {"content-type": "multipart/form-data; boundary=y"}, 400),
        ("/predict", b'{"source":"abc","search":{"max_length":99999999999}}', {}, 400),
        ("/predict", b'{"source":"abc","search":{"seed":1e400}}', {}, 400),
        ("/predict", b'{"source":"abc","search":{"required":["' + b"a" * 20_000 + b'"]}}', {}, 400),
        ("/predict", b'{"sources":[]}', {}, 200),
        ("/predict", b'{"source":{"$ref":"file:///etc/passwd"}}', {}, 400),
        ("/v2/translate", b'{"text":["abc"],"target_lang":"DE","glossary_id":"../x"}', {}, 404),
        ("/v2/translate", b'{"text":["abc"],"target_lang":"DE","split_sentences":"2"}', {}, 400),
        ("/translate", b'{"q":"abc","source":"a","target":"b","api_key":1}', {}, 400),
        ("/models/..%2f..%2fetc%2fpasswd", b'{"inputs":"a"}', {}, 404),
        ("/models/reverse", b'{"inputs":["a",null]}', {}, 400),
        ("/detect", b'{"q":["a"]}', {"content-type": "application/json"}, 400),
    ],
    ids=range(21),
)  # fmt: skip
def test_by_hand(
    small: Started, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    own = {"content-type": "application/json", **headers}
    reply = small.ask("POST", path, body, own)
    assert reply.status == status, reply.body
    assert b"Traceback" not in reply.body
    assert b"root:" not in reply.body
    assert small.ask("GET", "/health").status == 200


def test_a_picture_of_a_hundred_megapixels(keyed: Keyed) -> None:
    rows = zlib.compress(bytes(1251) * 10_000)  # 10,000 × 10,000 of one bit

    def chunk(kind: bytes, data: bytes) -> bytes:
        sum_ = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + sum_

    head = struct.pack(">IIBBBBB", 10_000, 10_000, 1, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    assert len(png) < 100_000
    reply = keyed.started.ask("POST", "/models/see", png, keyed.bearer)
    assert reply.status == 413
    body, header = multipart({"request": '{"model": "see"}'}, [("a.png", picture()), ("b", png)])
    reply = keyed.started.ask("POST", "/predict", body, header | keyed.bearer)
    assert reply.status == 413


def test_bodies_that_are_larger_than_they_say(keyed: Keyed) -> None:
    large = b"a" * 2_000_001
    reply = keyed.started.ask("POST", "/models/see", large, keyed.bearer)
    assert reply.status == 413
    told = keyed.bearer | {"content-type": "application/json"}
    pieces = iter([b'{"source": "', *[b"a" * 100_000] * 30])
    reply = keyed.started.ask("POST", "/predict", pieces, told)  # type: ignore[arg-type]
    assert reply.status == 413
    assert json.loads(reply.body)["error"].startswith("body must have at most 2,000,000 bytes")


@pytest.mark.parametrize("told", [True, False], ids=["length", "pieces"])
def test_who_sends_far_too_much_reads_why(keyed: Keyed, told: bool) -> None:
    """It is no reset connection: what it goes on sending is read for a moment, and dropped."""
    pieces = [b"a" * 1_000_000] * 20
    body = b"".join(pieces) if told else iter(pieces)
    reply = keyed.started.ask("POST", "/predict", body, keyed.bearer)  # type: ignore[arg-type]
    assert reply.status == 413
