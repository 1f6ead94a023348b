"""Hugging Face's inference, by its client as it is: texts, recordings, pictures."""

from __future__ import annotations

import pytest

from recordings import write_recording
from served_models import picture, wav
from started import Keyed
from transduce import Transducer


@pytest.fixture(scope="module")
def hub():
    return pytest.importorskip("huggingface_hub")


def test_texts(keyed: Keyed, hub) -> None:
    client = hub.InferenceClient(model=f"{keyed.url}/models/reverse", token=keyed.key)
    assert client.translation("abc").translation_text == "cba"
    assert client.summarization("abc").summary_text == "cba"
    reply = keyed.started.post("/models/reverse", {"inputs": ["abc", "ca"]}, keyed.bearer)
    assert [one["generated_text"] for one in reply.json] == ["cba", "ac"]
    asked = {"inputs": "abc", "parameters": {"num_beams": 3, "generate_parameters": {}}}
    assert keyed.started.post("/models/reverse", asked, keyed.bearer).json[0]["summary_text"]


def test_recordings(keyed: Keyed, hub, tmp_path) -> None:
    path = write_recording(tmp_path / "a.wav", "abcdabcd")
    expected = Transducer.load(keyed.folders["hear"])([path], timings=True)[0][0]
    client = hub.InferenceClient(model=f"{keyed.url}/models/hear", token=keyed.key)
    assert client.automatic_speech_recognition(wav("abcdabcd")).text == expected.text
    timed = client.automatic_speech_recognition(
        wav("abcdabcd"), extra_body={"return_timestamps": "word"}
    )
    assert timed.text == expected.text


def test_pictures(keyed: Keyed, hub, tmp_path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(picture())
    expected = Transducer.load(keyed.folders["see"]).predict([path])[0]
    client = hub.InferenceClient(model=f"{keyed.url}/models/see", token=keyed.key)
    assert client.image_to_text(picture()).generated_text == expected
    too_large = keyed.started.ask("POST", "/models/see", picture(1000), keyed.bearer)
    assert too_large.status == 413
    assert "at most 10,000 pixels" in too_large.json["error"]
    none = keyed.started.ask("POST", "/models/see", b"GIF89a", keyed.bearer)
    assert none.status == 400


def test_errors(keyed: Keyed, hub) -> None:
    client = hub.InferenceClient(model=f"{keyed.url}/models/reverse", token="wrong")
    with pytest.raises(hub.errors.HfHubHTTPError, match="401"):
        client.translation("abc")
    ask = keyed.started.post
    for asked, message in (
        ({"inputs": 5}, "inputs must be text, or a list of texts; got a number"),
        ({"inputs": "a", "parameters": {"num_beams": 99}}, "beam must be at most 10; got 99"),
        ({"inputs": "a", "parameters": {"color": 1}}, "parameters must be of num_beams"),
        (
            {"inputs": "a", "parameters": {"generate_parameters": ""}},
            "generate_parameters must be an object; got another",
        ),
        ({"inputs": "a", "parameters": {"src_lang": "a"}}, "src_lang and tgt_lang must both"),
    ):
        reply = ask("/models/reverse", asked, keyed.bearer)
        assert reply.status == 400
        assert message in reply.json["error"]
    assert ask("/models/other", {"inputs": "a"}, keyed.bearer).status == 404
    assert ask("/models/hear", {"inputs": "%%%"}, keyed.bearer).status == 400
