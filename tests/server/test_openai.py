"""OpenAI's interface to recordings, by its client as it is."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from recordings import write_recording
from served_models import wav
from started import Keyed, multipart
from transduce import Transducer

LONG = "abcdabcdabcdabcdabcdabcd"  # 2.4 seconds, in windows of one


@pytest.fixture(scope="module")
def client(keyed: Keyed):
    openai = pytest.importorskip("openai")
    with openai.OpenAI(api_key=keyed.key, base_url=f"{keyed.url}/v1", max_retries=0) as own:
        yield own


@pytest.fixture(scope="module")
def expected(keyed: Keyed, tmp_path_factory: pytest.TempPathFactory):
    path = write_recording(tmp_path_factory.mktemp("said") / "a.wav", LONG)
    return Transducer.load(keyed.folders["hear"])([path], timings=True)[0][0]


def test_text_and_words_are_those_of_predict(client, expected) -> None:
    plain = client.audio.transcriptions.create(model="hear", file=("a.wav", wav(LONG)))
    assert plain.text == expected.text
    assert plain.text
    found = client.audio.transcriptions.create(
        model="hear",
        file=("a.wav", wav(LONG)),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert found.text == expected.text
    words = [(word.word, word.start, word.end) for word in found.words]
    assert words == [(word.text, word.start, word.end) for word in expected.words]
    assert " ".join(segment.text for segment in found.segments) == " ".join(w[0] for w in words)
    assert found.duration == pytest.approx(2.4, abs=0.05)


def test_subtitles_and_plain_text(client, expected) -> None:
    def said(form: str) -> str:
        return client.audio.transcriptions.create(
            model="hear", file=("a.wav", wav(LONG)), response_format=form
        )

    assert said("text") == f"{expected.text}\n"
    assert said("srt").startswith("1\n00:00:")
    assert said("vtt").startswith("WEBVTT\n\n00:00:")


def test_events_of_a_stream(client, expected) -> None:
    stream = client.audio.transcriptions.create(
        model="hear", file=("a.wav", wav(LONG)), stream=True
    )
    events = list(stream)
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert len(deltas) >= 3
    assert "".join(deltas) == events[-1].text == expected.text


def test_models(client) -> None:
    assert [model.id for model in client.models.list()] == ["reverse", "hear", "see"]
    assert client.models.retrieve("hear").id == "hear"


def test_errors_are_those_that_the_client_knows(client, keyed: Keyed) -> None:
    import openai

    create = client.audio.transcriptions.create
    with pytest.raises(openai.NotFoundError, match="model must be one of reverse, hear, see"):
        create(model="whisper-1", file=("a.wav", wav("ab")))
    with pytest.raises(openai.BadRequestError, match="whole WAV, FLAC, OGG or MP3"):
        create(model="hear", file=("a.wav", b"no sound at all"))
    with pytest.raises(openai.BadRequestError, match="model must be one of recordings"):
        create(model="see", file=("a.wav", wav("ab")))
    with pytest.raises(openai.BadRequestError, match="response_format"):
        create(model="hear", file=("a.wav", wav("ab")), response_format="pdf")
    with pytest.raises(openai.APIStatusError, match="at most 20 seconds") as caught:
        create(model="hear", file=("a.wav", wav("ab" * 110)))
    assert caught.value.status_code == 413
    with (
        openai.OpenAI(api_key="wrong", base_url=f"{keyed.url}/v1", max_retries=0) as other,
        pytest.raises(openai.AuthenticationError),
    ):
        other.audio.transcriptions.create(model="hear", file=("a.wav", wav("ab")))


def test_files_by_our_own_interface(keyed: Keyed, expected) -> None:
    request = json.dumps({"model": "hear", "timings": True})
    body, header = multipart({"request": request}, [("../../etc/passwd", wav(LONG))])
    reply = keyed.started.ask("POST", "/predict", body, header | keyed.bearer)
    assert reply.json["text"] == expected.text
    assert reply.json["hypotheses"][0]["words"][0]["text"] == expected.words[0].text
    body, header = multipart({"request": request}, [("a", wav("abc")), ("b", b"RIFF")])
    answers = keyed.started.ask("POST", "/predict", body, header | keyed.bearer).json["answers"]
    assert "error" not in answers[0]
    assert "whole WAV" in answers[1]["error"]
    body, header = multipart({"request": '{"model": "hear"}'}, [])
    reply = keyed.started.ask("POST", "/predict", body, header | keyed.bearer)
    assert reply.status == 400
    assert "files of a form" in reply.json["error"]


def test_an_opus_file_that_unpacks_to_hours(keyed: Keyed, tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    import numpy as np

    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", samplerate=8000, channels=1, format="OGG", subtype="OPUS"
    ) as out:
        quiet = np.zeros(8000 * 40, np.float32)
        quiet[::8000] = 0.5
        out.write(quiet)
    body, header = multipart({"model": "hear"}, [("a.opus", file.getvalue())])
    path = "/v1/audio/transcriptions"
    reply = keyed.started.ask("POST", path, body, header | keyed.bearer)
    assert reply.status == 413
