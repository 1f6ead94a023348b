"""Keys, quotas, and what a server tells of itself."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from started import Keyed, Started, multipart
from transduce.errors import ConfigError
from transduce.server.limits.keys import KeyEntry, KeyRefusedError, KeyRing, add_key
from transduce.server.limits.quotas import Quotas
from transduce.server.limits.request_errors import RequestError
from transduce.server.limits.serve_config import ServeConfig, serve_config


def test_a_key_is_stored_as_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    key = add_key(path, "anna")
    other = add_key(path, "bert")
    assert key not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    ring = KeyRing.read(path)
    assert [ring.holder(key), ring.holder(other)] == ["anna", "bert"]
    for wrong in ("", None, "x", key + " ", "ключ"):
        with pytest.raises(KeyRefusedError):
            ring.holder(wrong)
    with pytest.raises(ConfigError, match="must be a name that is not in"):
        add_key(path, "anna")
    with pytest.raises(ConfigError, match="must be letters, digits"):
        add_key(path, "a: {x}\nb")
    path.write_text("anna: {sha256: abc}\n")
    with pytest.raises(ConfigError, match="anna: sha256 must be 64 hexadecimal digits"):
        KeyRing.read(path)


def test_quotas_come_back_with_time() -> None:
    now = [86_400.0 * 100]
    entry = KeyEntry(sha256="0" * 64, requests_a_minute=2, characters_a_day=10)
    quotas = Quotas(KeyRing({"anna": entry}), ServeConfig(), lambda: now[0])
    quotas.count_request("anna")
    quotas.count_request("anna")
    with pytest.raises(RequestError, match="at most 2 a minute") as caught:
        quotas.count_request("anna")
    assert (caught.value.status, caught.value.retry_after) == (429, 30)
    now[0] += 30
    quotas.count_request("anna")
    quotas.count_characters("anna", 10)
    with pytest.raises(RequestError, match="at most 10 a day"):
        quotas.count_characters("anna", 1)
    now[0] += 86_400
    quotas.count_characters("anna", 1)
    quotas.count_characters("bert", 10**9)


def test_each_interface_refuses_in_its_own_words(keyed: Keyed) -> None:
    ask = keyed.started.post
    asked = {"q": "abc", "source": "x", "target": "y"}
    assert ask("/translate", asked).status == 400
    reply = ask("/translate", {**asked, "api_key": "wrong"})
    assert (reply.status, reply.json) == (403, {"error": "Invalid API key"})
    assert ask("/translate", {**asked, "api_key": keyed.key}).json["translatedText"] == "cba"
    assert ask("/predict", {"source": "abc"}).status == 401
    assert ask("/predict", {"source": "abc"}, {"x-api-key": keyed.key}).json["text"] == "cba"
    assert keyed.started.ask("GET", "/v1/models").json["error"]["code"] == "invalid_api_key"
    assert keyed.started.ask("GET", "/v2/usage").status == 403
    assert keyed.started.ask("GET", "/metrics").status == 401
    assert keyed.started.ask("GET", "/health").status == 200


def test_pages_of_others_may_ask_only_where_that_was_said(keyed: Keyed, server: Started) -> None:
    origin = {"origin": "https://page.example"}
    name = "access-control-allow-origin"
    assert keyed.started.ask("GET", "/health", headers=origin).headers[name] == origin["origin"]
    other = keyed.started.ask("GET", "/health", headers={"origin": "https://other.example"})
    assert name not in other.headers
    assert name not in server.ask("GET", "/health", headers=origin).headers


def test_numbers_for_prometheus(keyed: Keyed) -> None:
    keyed.started.post("/predict", {"sources": ["abc", "ca"]}, keyed.bearer)
    text = keyed.started.ask("GET", "/metrics", headers=keyed.bearer).body.decode()
    for line in (
        'transduce_requests_total{path="/predict",status="200"}',
        'transduce_sources_total{model="reverse"}',
        "transduce_queue_requests 0.0",
        "transduce_batch_sources_count",
        "transduce_queue_wait_seconds_bucket",
        "transduce_source_tokens_total",
        'transduce_request_seconds_bucket{le="0.1",path="/predict"}',
    ):
        assert line in text
    assert "abc" not in text


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "abc\n\n ca\n", "cba\n\n ac\n"),
        ("a.html", "<p>abc</p>", "<p>cba</p>"),
        (
            "a.srt",
            "1\r\n00:00:01,000 --> 00:00:02,000\r\nabc\r\nca\r\n\r\n2\r\n00:00:03,000 --> "
            "00:00:04,000\r\nbd\r\n",
            "1\r\n00:00:01,000 --> 00:00:02,000\r\ncba\r\nac\r\n\r\n2\r\n00:00:03,000 --> "
            "00:00:04,000\r\ndb\r\n",
        ),
    ],
)
def test_files_are_translated(keyed: Keyed, name: str, content: str, expected: str) -> None:
    fields = {"source": "x", "target": "y", "api_key": keyed.key}
    body, header = multipart(fields, [(f"../{name}", content.encode())])
    reply = keyed.started.ask("POST", "/translate_file", body, header)
    url = reply.json["translatedFileUrl"]
    assert ".." not in url
    with urllib.request.urlopen(url) as found:
        assert found.read().decode() == expected
        assert "attachment" in found.headers["content-disposition"]


def test_files_of_other_kinds_are_refused(keyed: Keyed) -> None:
    fields = {"source": "x", "target": "y", "api_key": keyed.key}
    for name, content, message in (
        ("a.zip", b"PK", "file format not supported"),
        ("a.txt", b"\xff", "file must be UTF-8"),
    ):
        body, header = multipart(fields, [(name, content)])
        reply = keyed.started.ask("POST", "/translate_file", body, header)
        assert reply.status == 400
        assert message in reply.json["error"]
    assert keyed.started.ask("GET", "/download_file/..%2f..%2fetc%2fpasswd").status == 404
    assert keyed.started.ask("GET", "/download_file/x.txt").status == 404


def test_lines_of_a_stream_are_in_order(server: Started) -> None:
    words = ["abc", "ca", "d", ""] * 10
    reply = server.post("/predict", {"sources": words, "stream": True})
    lines = [json.loads(line) for line in reply.body.splitlines()]
    assert [line["index"] for line in lines] == list(range(40))
    assert [line["text"] for line in lines] == [word[::-1] for word in words]


def test_options_come_from_flags_environment_file_and_defaults(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text("characters: 1\nbeam: 2\nqueue: 3\n")
    environment = {"TRANSDUCE_SERVE_BEAM": "4", "TRANSDUCE_SERVE_QUEUE": "5", "OTHER": "x"}
    found = serve_config(file, environment, {"queue": 6})
    assert (found.characters, found.beam, found.queue) == (1, 4, 6)
    assert found.seconds == ServeConfig().seconds
    origins = serve_config(None, {"TRANSDUCE_SERVE_ORIGINS": "https://a https://b"}, {}).origins
    assert origins == ("https://a", "https://b")
    with pytest.raises(ConfigError, match="beam must be at least 1; got 0"):
        serve_config(None, {}, {"beam": 0})
    with pytest.raises(ConfigError, match="caracters must be a known key; did you mean char"):
        serve_config(None, {"TRANSDUCE_SERVE_CARACTERS": "5"}, {})
