"""The pipeline of recordings: forms of sources, languages, tasks, times, parts."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from whisper_models import save_model

from transduce import Transducer, pipeline
from transduce.errors import ConfigError, DataError, LanguageError

soundfile = pytest.importorskip("soundfile")
SAMPLES = np.random.default_rng(0).normal(0, 0.1, 8_000).astype("f4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("whisper")
    save_model(made, languages=True)
    return made


@pytest.fixture(scope="module")
def run(folder: Path) -> Any:
    return pipeline("automatic-speech-recognition", folder, device="cpu", max_new_tokens=6)


def content(kind: str = "WAV") -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, SAMPLES, 16_000, format=kind)
    return stream.getvalue()


def test_forms_of_a_recording(run: Any, folder: Path) -> None:
    expected = run(SAMPLES)
    assert set(expected) == {"text"}
    for source in (
        torch.from_numpy(SAMPLES),
        torch.from_numpy(SAMPLES).double().requires_grad_(),
        SAMPLES.tolist(),
        {"raw": torch.from_numpy(SAMPLES), "sampling_rate": 16_000},
        {"array": SAMPLES.tolist(), "sampling_rate": 16_000.0},
    ):
        assert run(source) == expected
    (folder / "clip.wav").write_bytes(content())
    of_file = run(str(folder / "clip.wav"))
    for source in (
        content(),
        bytearray(content()),
        memoryview(content()),
        io.BytesIO(content()),
        {"bytes": content(), "path": None},
    ):
        assert run(source) == of_file
    with (folder / "clip.wav").open("rb") as file:
        assert run([file, content()]) == [of_file, of_file]
    assert run([content(), content("FLAC")]) == [of_file, of_file]
    assert run(folder / "clip.wav") == of_file
    model = Transducer.from_pretrained(folder, source_language="auto", device="cpu")
    assert model.predict([content()], max_length=6) == [of_file["text"]]
    assert model.predict([torch.from_numpy(SAMPLES)], max_length=6) == [expected["text"]]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "content of a recording: recording must be an audio file; got an empty file"),
        (b"RIFFnonsense", "content of a recording: recording must be a whole WAV"),
        (b"\0\1\2\3\4", "Format not recognised"),
        ({"raw": SAMPLES}, r"sampling_rate; got raw"),
        ({"raw": SAMPLES, "sampling_rate": "16k"}, "sampling_rate must be a whole number"),
        ("https://example.org/a.wav", "nothing is fetched from the network"),
        (io.StringIO("clip.wav"), "file must be open for bytes; it gave str"),
        (3, "recording must be a path, samples or bytes of a file; got int"),
    ],
)
def test_what_is_no_recording(run: Any, source: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        run(source)


def test_languages_and_tasks(run: Any, folder: Path) -> None:
    def of(**options: str) -> list[str]:
        from transduce.tasks.asked_model import asked_model

        tokenizer = asked_model(run.model, options, "speech", None).target_tokenizer
        return tokenizer.symbols(tokenizer.first)

    # guessed, as there, unless it is told
    assert of() == ["<|transcribe|>", "<|notimestamps|>"]
    for name in ("de", "german", "German", "<|de|>"):
        assert of(language=name) == ["<|de|>", "<|transcribe|>", "<|notimestamps|>"]
    assert of(language="de", task="translate")[1] == "<|translate|>"
    told = run(SAMPLES, generate_kwargs={"language": "german", "task": "translate"})
    model = Transducer.from_pretrained(
        folder, source_language="de", target_language="en", device="cpu"
    )
    assert told["text"] == model.predict([SAMPLES], max_length=6)[0]
    with pytest.raises(LanguageError, match="language must be one of de, en; got 'klingon'"):
        run(SAMPLES, generate_kwargs={"language": "klingon"})
    with pytest.raises(ConfigError, match="task must be transcribe or translate; got 'sing'"):
        run(SAMPLES, generate_kwargs={"task": "sing"})
    with pytest.raises(ConfigError, match="max_new_tokens must stand beside generate_kwargs or"):
        run(SAMPLES, max_new_tokens=3, generate_kwargs={"max_new_tokens": 3})


def test_times_and_parts(run: Any) -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, 16_000 * 8).astype("f4")
    answer = run(noise, return_timestamps="word", return_language=True, chunk_length_s=4)
    words = answer["chunks"]
    assert "".join(chunk["text"] for chunk in words).split() == answer["text"].split()
    times = [time for chunk in words for time in chunk["timestamp"]]
    assert times == sorted(times)
    assert {chunk["language"] for chunk in words} <= {"german", "english"}
    whole = run(noise, return_timestamps=True, chunk_length_s=4)["chunks"]
    assert "".join(chunk["text"] for chunk in whole).split() == answer["text"].split()
    assert len(whole) <= len(words)
    # two parts say what each says alone
    model = run.model.source
    assert model.config.cut_at == 30
    assert run(noise, chunk_length_s=0) == run(noise)
    with pytest.raises(ConfigError, match="return_timestamps must be true, false or word"):
        run(noise, return_timestamps="char")
    with pytest.raises(ConfigError, match="chunk_length_s must be a number of seconds; got -1"):
        run(noise, chunk_length_s=-1)
