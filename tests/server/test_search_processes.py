"""Processes that search beside the server: the same answers, whatever becomes of the processes."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import threading
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reversal_run import Run
from started import Started, started, until
from transduce.config import SearchConfig
from transduce.light.prediction_records import record_key
from transduce.light.recording import ModelNote, model_note, plain_search
from transduce.server.queue import search_desk
from transduce.server.queue.search_desk import process_count
from transduce.server.queue.search_worker import output_of, serve, values_of
from transduce.workflow.predicting.output import Output, answer_record
from transduce.workflow.trained import TrainedModel

TEXTS = ["abc", "", "dcba" * 5, "aabb", "a", "ccdd" * 3]


def children(server: Started) -> list[int]:
    return [own._process.pid for own in server.running.service._desk._processes]


def answers(server: Started, body: dict[str, object]) -> list[dict[str, object]]:
    reply = server.post("/predict", body)
    assert reply.status == 200, reply.body
    found: list[dict[str, object]] = reply.json["answers"]
    return found


def test_answers_are_those_of_predict(run: Run) -> None:
    trained = TrainedModel.load(run.folder)
    with started({"reverse": run.folder}, processes=2) as server:
        assert len(children(server)) == 2
        for search in ({}, {"beam": 3, "nbest": 2}, {"max_length": 2}, {"no_repeat_ngram": 2}):
            options = trained.config.searching(search)
            expected = [answer_record(own) for own in trained.predict(TEXTS, options)]
            body = {"sources": TEXTS, "search": search}
            assert answers(server, body) == json.loads(json.dumps(expected))
        reply = server.post("/translate", {"q": TEXTS[:1], "source": "und", "target": "und"})
        assert reply.json["translatedText"] == ["cba"]
        own = answers(server, {"sources": TEXTS[:1], "alternatives": 2})  # asked of the server
        assert own[0]["hypotheses"][0]["alternatives"]


def test_a_process_that_dies_is_no_answer_that_is_lost(run: Run) -> None:
    body = {"sources": ["abcd" * 5] * 100}
    with started({"reverse": run.folder}, processes=1) as server:
        expected = answers(server, body)
        for deaths in range(1, search_desk._DEATHS + 1):
            found: list[list[dict[str, object]]] = []

            def ask(found: list[list[dict[str, object]]] = found) -> None:
                found.append(answers(server, body))

            asking = [threading.Thread(target=ask) for _ in range(3)]
            for thread in asking:
                thread.start()
            os.kill(children(server)[0], signal.SIGKILL)
            for thread in asking:
                thread.join()
            assert found == [expected] * 3
            left = int(deaths < search_desk._DEATHS)
            until(lambda left=left: len(children(server)) == left)
        assert answers(server, body) == expected  # by the server itself


def test_a_model_that_is_replaced_is_searched_as_it_is_now(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(run.folder, folder, ignore=shutil.ignore_patterns("training"))
    with started({"reverse": folder}, reload=True, processes=1) as server:
        assert answers(server, {"sources": ["abcd"]})[0]["text"] == "dcba"
        trained = TrainedModel.load(folder)
        trained.config = trained.config.updated({"search.max_length": 1})
        trained.save(folder)
        until(lambda: answers(server, {"sources": ["abc"]})[0]["text"] == "c")
        assert not server.running.service._desk._refused


@pytest.fixture(scope="module")
def note(run: Run) -> ModelNote:
    found = model_note(TrainedModel.load(run.folder), run.folder, record_key(run.folder))
    assert found is not None
    return found


def said(*asked: object) -> list[dict[str, object]]:
    lines, replies = (
        io.BytesIO(b"".join(json.dumps(a).encode() + b"\n" for a in asked)),
        io.BytesIO(),
    )
    serve(lines, replies)
    return [json.loads(line) for line in replies.getvalue().splitlines()]


def test_what_a_process_says(note: ModelNote) -> None:
    plain = note.plain(note.search)
    assert plain is not None
    model = {"folder": str(note.folder), "key": note.key.name, "record": note.record}
    asked = {"model": 1, "search": asdict(plain), "bare": False, "sources": ["abc", ""]}
    other = {"model": 2, **model, "key": "of another"}
    loaded, refused, found, bare, forgotten, failed = said(
        {"model": 1, **model}, other, asked, {**asked, "bare": True}, {"model": 1}, asked
    )
    assert bare == {"outputs": [[["cba", ""]], [["", ""]]]}
    assert (loaded, refused, forgotten) == ({"loaded": True}, {"loaded": False}, {})
    assert failed == {"failed": "KeyError"}
    texts = [[output_of(values).text for values in own] for own in found["outputs"]]  # type: ignore[attr-defined]
    assert texts == [["cba"], [""]]


def test_only_plain_searches_are_for_processes(note: ModelNote) -> None:
    recipe = note.search
    for update in ({"beam": 4, "nbest": 3}, {"max_length": 7}):
        found = plain_search(recipe, recipe.model_copy(update=update))
        assert found is not None
        assert {name: getattr(found, name) for name in update} == update
    for update in ({"sample": True}, {"required": ("a",)}, {"min_length": 3}, {"nbest": 2}):
        assert plain_search(recipe, recipe.model_copy(update=update)) is None
    assert plain_search(recipe, SearchConfig(repetition_penalty=2.0)) is None


numbers = st.floats(allow_nan=False)


@settings(max_examples=25)
@given(
    st.builds(
        Output,
        text=st.text(),
        tokens=st.lists(st.text()).map(tuple),
        score=numbers,
        log_probability=numbers,
        token_scores=st.lists(numbers).map(tuple),
        finished=st.booleans(),
        numbers=st.lists(st.integers(0, 1 << 40)).map(tuple),
        error=st.text(),
    )
)
def test_an_output_is_the_same_on_the_other_side(output: Output) -> None:
    again = output_of(json.loads(json.dumps(values_of(output))))
    assert repr(again) == repr(output)  # also of zeros with a sign
    assert again.numbers == output.numbers


def test_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for threads, count in ((1, 0), (2, 2), (16, 4)):
        monkeypatch.setattr(search_desk, "thread_count", lambda threads=threads: threads)
        assert process_count(None) == count
        assert process_count(1) == 1
    monkeypatch.setattr("sys.platform", "win32")
    assert process_count(3) == 0
