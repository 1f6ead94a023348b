"""``POST /predict``: the answers of ``predict``, and every refusal in one line."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from reversal_run import Run, reversal_lines
from started import Started
from transduce import Transducer


def test_answers_are_those_of_predict(server: Started, run: Run) -> None:
    words = [line.split("\t")[0] for line in reversal_lines(7, 20)]
    expected = Transducer.load(run.folder)(words, beam=3, nbest=2)
    reply = server.post("/predict", {"sources": words, "search": {"beam": 3, "nbest": 2}})
    assert reply.status == 200
    assert reply.json["model"] == "reverse"
    for answer, outputs in zip(reply.json["answers"], expected, strict=True):
        assert answer["text"] == outputs[0].text
        assert [h["score"] for h in answer["hypotheses"]] == [o.score for o in outputs]
        assert [h["token_scores"] for h in answer["hypotheses"]] == [
            list(o.token_scores) for o in outputs
        ]


def test_one_source_has_one_answer(server: Started) -> None:
    reply = server.post("/predict", {"source": "abc"})
    assert reply.json["text"] == "cba"
    assert reply.json["hypotheses"][0]["finished"] is True


def test_nbest_widens_the_beam(server: Started) -> None:
    reply = server.post("/predict", {"source": "abc", "search": {"nbest": 3}})
    assert len(reply.json["hypotheses"]) == 3


def test_alternatives_and_alignments(server: Started) -> None:
    asked = {"source": "abc", "alternatives": 2, "alignments": True}
    found = server.post("/predict", asked).json["hypotheses"][0]
    assert [len(token["others"]) for token in found["alternatives"]] == [2, 2, 2, 2]
    assert len(found["alignments"]) == 3


def test_confidence_that_was_never_fitted(server: Started) -> None:
    reply = server.post("/predict", {"source": "abc", "confidence": True})
    assert reply.status == 400
    assert "calibrate" in reply.json["error"]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "body must be valid JSON"),
        (b"[1]", 400, "body must be a JSON object; got a list"),
        (b'{"source": 1}', 400, "source must be text; got 1"),
        (b'{"source": "a", "sources": ["a"]}', 400, "either source or sources"),
        (b'{"soruce": "a"}', 400, "soruce must be a known key; did you mean source?"),
        (b'{"source": "\\ud800"}', 400, "sources must be valid Unicode"),
        (b'{"source": "\xff"}', 400, "body must be UTF-8"),
        (b'{"source": NaN}', 400, "NaN is no number"),
        (b'{"source": ' + b"[" * 100_000, 400, "nested"),
        (b'{"search": {"beam": ' + b"9" * 10_000 + b"}}", 400, "body must be valid JSON"),
        (b'{"source": "a", "search": {"x": ' + b"[" * 70 + b"]" * 70 + b"}}", 400, "64 deep"),
        (b'{"source": "a", "search": {"beam": 11}}', 400, "search.beam must be at most 10; got 11"),
        (b'{"source": "a", "search": {"nbest": 10000}}', 400, "search.nbest must be at most 10"),
        (b'{"source": "a", "search": {"max_length": 60000}}', 400, "search.max_length must be"),
        (b'{"source": "a", "search": {"bean": 2}}', 400, "bean"),
        (b'{"source": "a", "search": {"batch_tokens": 2}}', 400, "left to the server"),
        (b'{"source": "a", "alternatives": 11}', 400, "alternatives must be at most 10; got 11"),
        (b'{"source": "a", "timings": true}', 400, "timings must be asked of a model of record"),
        (b'{"source": "a", "model": "other"}', 404, "model must be one of reverse; got 'other'"),
        (b'{"source": "a", "part": "ice"}', 400, "part must be none"),
        (b'{"source": "a", "source_language": "de"}', 400, "must be an imported one"),
        (json.dumps({"source": "a" * 2001}).encode(), 413, "at most 2,000 characters"),
        (json.dumps({"sources": ["a"] * 1001}).encode(), 413, "at most 1,000; got 1,001"),
    ],
)
def test_what_is_wrong_is_said(server: Started, body: bytes, status: int, message: str) -> None:
    reply = server.ask("POST", "/predict", body, {"content-type": "application/json"})
    assert reply.status == status, reply.body
    assert message in reply.json["error"]
    assert "\n" not in reply.json["error"]


def test_32_clients_get_the_answers_of_one(server: Started, run: Run) -> None:
    """Whatever ran beside: other words, other beams, documents of many sources, samples."""
    model = Transducer.load(run.folder)
    asked: list[dict[str, Any]] = []
    for number in range(32):
        words = [line.split("\t")[0] for line in reversal_lines(number, 1 + 5 * (number % 4 == 0))]
        search = ({}, {"beam": 4, "nbest": 3}, {"sample": True, "seed": number})[number % 3]
        asked.append({"sources": words, "search": search})
    expected = [model(one["sources"], **one["search"]) for one in asked]
    found: dict[int, Any] = {}

    def ask(number: int) -> None:
        for _ in range(2):
            found[number] = server.post("/predict", asked[number]).json["answers"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, outputs in enumerate(expected):
        texts = [[h["text"] for h in answer["hypotheses"]] for answer in found[number]]
        scores = [[h["score"] for h in answer["hypotheses"]] for answer in found[number]]
        assert texts == [[o.text for o in own] for own in outputs]
        assert scores == [[o.score for o in own] for own in outputs]


def test_no_address_and_no_method(server: Started) -> None:
    assert server.ask("GET", "/nowhere").json["error"] == "address must be one of the server's"
    reply = server.ask("GET", "/predict")
    assert reply.status == 405
    assert reply.json["error"] == "method must be another"
    assert server.ask("GET", "/../../etc/passwd").status == 404


def test_health_and_ready(server: Started) -> None:
    assert server.ask("GET", "/health").json == {"status": "ok"}
    assert server.ask("GET", "/ready").json == {"status": "ready"}
