"""``POST /explain``: what ``transduce explain`` says, within bounds."""

from __future__ import annotations

import pytest

from served_models import picture, wav
from started import Keyed, Started, multipart
from transduce import Transducer
from transduce.explain.beam_tree import beam_tree
from transduce.explain.explaining import explain
from transduce.workflow.trained import TrainedModel


@pytest.mark.parametrize("method", ["attention", "occlusion"])
def test_weights_are_those_of_explain(server: Started, keyed: Keyed, method: str) -> None:
    body = {"source": "abc", "target": "cba", "method": method}
    got = server.post("/explain", body)
    assert got.status == 200
    trained = TrainedModel.load(keyed.folders["reverse"])
    expected = explain(trained, "abc", "cba", method=method)
    assert got.json["source"] == ["a", "b", "c", "end"]
    assert got.json["target"] == ["c", "b", "a", "end"]
    for row, own in zip(got.json["weights"], expected.weights.tolist(), strict=True):
        assert row == pytest.approx(own, abs=1e-6)


def test_a_tree_is_that_of_the_search(server: Started, keyed: Keyed) -> None:
    body = {"source": "abc", "tree": True, "search": {"beam": 3, "nbest": 2}}
    got = server.post("/explain", body).json
    trained = TrainedModel.load(keyed.folders["reverse"])
    options = trained.config.searching({"beam": 3, "nbest": 2})
    assert got["outputs"] == list(beam_tree(trained, "abc", options).outputs)
    assert got["outputs"][0] == Transducer.load(keyed.folders["reverse"]).predict(["abc"])[0]


@pytest.mark.parametrize(("model", "content"), [("see", picture()), ("hear", wav("ab"))])
def test_cells_of_a_file(keyed: Keyed, model: str, content: bytes) -> None:
    asked = f'{{"model": "{model}", "method": "occlusion"}}'
    body, headers = multipart({"request": asked}, [("own", content)])
    got = keyed.started.ask("POST", "/explain", body, {**headers, **keyed.bearer})
    assert got.status == 200
    canvas = got.json["canvas"]
    cells = (len(canvas["column_edges"]) - 1) * (len(canvas["row_edges"]) - 1)
    assert {len(row) for row in got.json["weights"]} == {cells}
    assert "picture" not in canvas


@pytest.mark.parametrize(("model", "content"), [("see", picture()), ("hear", wav("ab"))])
def test_a_tree_of_a_file(keyed: Keyed, model: str, content: bytes) -> None:
    asked = f'{{"model": "{model}", "tree": true, "search": {{"beam": 2, "max_length": 3}}}}'
    body, headers = multipart({"request": asked}, [("own", content)])
    got = keyed.started.ask("POST", "/explain", body, {**headers, **keyed.bearer}).json
    said = keyed.started.ask("POST", "/predict", body.replace(b' "tree": true,', b""),
                             {**headers, **keyed.bearer}).json  # fmt: skip
    assert got["outputs"][0] == said["text"]
    assert [branch["rank"] for branch in got["branches"]].count(0) == 1


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "body must hold one source"),
        ({"source": "abc", "method": "none"}, 400, "method must be"),
        ({"source": "abc", "target": "xyz"}, 400, "target must hold only symbols"),
        ({"source": "a" * 1001}, 400, "at most 1,000 characters to be explained"),
        ({"source": "a" * 2001}, 413, "at most 2,000 characters"),
        ({"source": "abc", "model": "other"}, 404, "model must be one of"),
        ({"source": "abc", "tree": True, "search": {"beam": 11}}, 400, "search.beam must be"),
        ({"source": "abc", "alternatives": 21}, 400, "alternatives"),
    ],
)
def test_what_is_refused(
    server: Started, body: dict[str, object], status: int, message: str
) -> None:
    got = server.post("/explain", body)
    assert (got.status, message in got.json["error"]) == (status, True), got.json


def test_it_wants_a_key_where_others_do(keyed: Keyed) -> None:
    assert keyed.started.post("/explain", {"source": "abc"}).status == 401
    assert keyed.started.ask("GET", "/page/models").status == 401
    assert keyed.started.ask("GET", "/page/models", headers=keyed.bearer).json["models"] == [
        "reverse",
        "hear",
        "see",
    ]
    assert keyed.started.ask("GET", "/").status == 200


def test_what_the_page_knows_of_models(keyed: Keyed) -> None:
    found = {
        name: keyed.started.ask("GET", f"/page/models/{name}", headers=keyed.bearer).json
        for name in keyed.folders
    }
    assert {name: one["kind"] for name, one in found.items()} == {
        "reverse": "text",
        "hear": "audio",
        "see": "image",
    }
    assert found["reverse"]["methods"][0] == "attention"
    assert found["reverse"]["target_tokens"] == "character"
    assert not found["reverse"]["sentences"]
    missing = keyed.started.ask("GET", "/page/models/none", headers=keyed.bearer)
    assert missing.status == 404
