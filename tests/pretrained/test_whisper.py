"""Whisper against transformers' own, on tiny random models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor
from typer.testing import CliRunner
from whisper_models import NUMBERS, SPECIALS, SUPPRESSED, frames, save_model, save_tokenizer

import transduce
from transduce import Transducer, cli
from transduce.errors import DataError, ModelError
from transduce.interfaces import BEGIN, END, Source
from transduce.pretrained.published_model import read_pretrained
from transduce.workflow.trained import TrainedModel

transformers = pytest.importorskip("transformers")


@torch.no_grad()
def theirs_of(trained: TrainedModel, logits: Tensor) -> Tensor:
    """Logits ``[B, T, V]`` of ours in the order of theirs; what never is written is NaN."""
    symbols = trained.target_tokenizer.symbols(range(trained.target_tokenizer.size))
    places = [symbols.index("<eos>" if n == "<|endoftext|>" else n) for n in NUMBERS]
    found = logits[..., places].clone()
    found[..., SUPPRESSED] = torch.nan
    return found


def test_logits_are_theirs(tmp_path: Path) -> None:
    model = save_model(tmp_path)
    trained = read_pretrained(tmp_path)
    audio = frames(2)
    tokens = torch.tensor([[*range(3, 12)], [*range(20, 29)]])
    start = torch.tensor([[NUMBERS["<|startoftranscript|>"], NUMBERS["<|notimestamps|>"]]] * 2)
    prefix = torch.tensor([[BEGIN, *trained.target_tokenizer.first]] * 2)
    with torch.no_grad():
        expected = model(
            input_features=audio.transpose(1, 2), decoder_input_ids=torch.cat([start, tokens], 1)
        ).logits
        source = Source(audio, torch.tensor([3000, 3000]))
        numbers = [_numbers(trained, row) for row in tokens.tolist()]
        found = trained.model(source, torch.cat([prefix, torch.tensor(numbers)], 1))
    expected[..., SUPPRESSED] = torch.nan
    torch.testing.assert_close(
        theirs_of(trained, found), expected, rtol=0, atol=1e-4, equal_nan=True
    )


def _numbers(trained: TrainedModel, theirs: list[int]) -> list[int]:
    symbols = trained.target_tokenizer.symbols(range(trained.target_tokenizer.size))
    names = {number: name for name, number in NUMBERS.items()}
    return [symbols.index(names[number]) for number in theirs]


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("engine", ["reference", "float32"])
def test_outputs_are_those_of_generate(tmp_path: Path, beam: int, engine: str) -> None:
    model = save_model(tmp_path)
    trained = read_pretrained(tmp_path)
    audio = frames(3)
    expected = model.generate(
        audio.transpose(1, 2), num_beams=beam, max_new_tokens=20, return_timestamps=False
    )
    trained.config = trained.config.updated(
        {
            "engine": engine,
            "search.beam": beam,
            "search.max_length": 21,
            "search.stopping": "generate" if beam > 1 else "bound",
            "search.length_normalization": "power",
            "search.length_alpha": 1.0,
        }
    )
    parts = ([clip.numpy()] for clip in audio)
    found = trained.predictor().predict_frames(parts, trained.config.search)
    outputs = [best for best, *_ in found]
    names = {number: name for name, number in NUMBERS.items()}
    hidden = {NUMBERS[name] for name in SPECIALS}
    for row, output in zip(expected.tolist(), outputs, strict=True):
        written = [names[number] for number in row if number not in hidden]
        assert [name for name in output.tokens if name not in SPECIALS] == written
    assert len({output.text for output in outputs}) > 1


def test_recordings_become_text_and_a_saved_model_answers_alike(tmp_path: Path) -> None:
    save_model(tmp_path / "theirs")
    trained = read_pretrained(tmp_path / "theirs")
    trained.config = trained.config.updated({"search.max_length": 6})
    clips = [np.random.default_rng(n).normal(0, 0.1, 20_000).astype("f4") for n in (0, 1)]
    trained.save(tmp_path / "ours")
    loaded = TrainedModel.load(tmp_path / "ours")
    first, second = (
        [best.text for best, *_ in model.predict(clips, model.config.search)]
        for model in (trained, loaded)
    )
    assert first == second
    assert loaded.target_tokenizer.first == trained.target_tokenizer.first
    assert loaded.target_tokenizer.banned_first == trained.target_tokenizer.banned_first
    long = np.concatenate([clips[0]] * 30)  # 37.5 seconds: two windows
    joined = next(trained.predict([long], trained.config.search))[0]
    assert joined.tokens.count("<|notimestamps|>") == 2
    assert len(joined.token_scores) >= len(joined.tokens)


def test_words_of_all_parts_have_times_within_the_recording(tmp_path: Path) -> None:
    save_model(tmp_path)
    model = Transducer.from_pretrained(tmp_path)
    chance = np.random.default_rng(0)
    long = chance.normal(0, 0.1, 16_000 * 37).astype("f4")
    long[16_000 * 24 : 16_000 * 25] = 0  # where it is cut
    short, output = (
        model([clip], timings=True, max_length=9)[0][0] for clip in (long[:24_000], long)
    )
    for found, seconds in ((short, 1.5), (output, 37.0)):
        assert [word.text for word in found.words] == found.text.split()
        assert found.words
        assert all(0 <= word.start <= word.end <= seconds for word in found.words)
    joined = long[:398_400], long[398_400:]  # at 24.9 seconds
    first, second = (model([part], timings=True, max_length=9)[0][0] for part in joined)
    later = [(word.start + 24.9, word.text) for word in second.words]
    expected = [*((word.start, word.text) for word in first.words), *later]
    assert [word.text for word in output.words] == [text for _, text in expected]
    times = [word.start for word in output.words]
    assert times == pytest.approx([start for start, _ in expected], abs=0.02)


def test_the_pipeline_answers_as_that_of_transformers_4(tmp_path: Path) -> None:
    save_model(tmp_path)
    recognise = transduce.pipeline("automatic-speech-recognition", model=tmp_path)
    samples = np.random.default_rng(0).normal(0, 0.1, 8_000).astype("f4")
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "clip.wav", samples, 16_000, subtype="FLOAT")
    path = str(tmp_path / "clip.wav")
    answer = recognise(path, max_new_tokens=5)
    assert set(answer) == {"text"}
    assert recognise([path, path], max_new_tokens=5) == [answer, answer]
    for source in (
        samples,
        {"raw": samples, "sampling_rate": 16_000},
        {"array": samples, "sampling_rate": 16_000, "path": None},
    ):
        assert recognise(source, max_new_tokens=5) == answer
    with pytest.raises(
        DataError, match=r"a mapping with raw \(or array\) and sampling_rate; got raw"
    ):
        recognise({"raw": samples})


def test_training_goes_on_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile = pytest.importorskip("soundfile")
    save_model(tmp_path / "model")
    lines = []
    for number in range(6):
        samples = np.random.default_rng(number).normal(0, 0.1, 8_000)
        soundfile.write(tmp_path / f"{number}.wav", samples, 16_000)
        lines.append(f"{number}.wav\tab{'c' * number}")
    (tmp_path / "train.tsv").write_text("\n".join(lines))
    recipe = {
        "data": {"train": "train.tsv", "dev_fraction": 0.3, "input": {"kind": "audio"}},
        "model": {"from": str(tmp_path / "model")},
        "training": {"max_steps": 1, "batch_tokens": 64, "learning_rate": 1e-9},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    monkeypatch.chdir(tmp_path)
    arguments = ["train", "recipe.yaml", "--output", "run"]
    CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    before, after = read_pretrained(tmp_path / "model"), TrainedModel.load(tmp_path / "run")
    assert after.config.data.input == before.config.data.input  # the recipe said only its kind
    source = Source(frames(1), torch.tensor([3000]))
    target = torch.tensor([[BEGIN, *before.target_tokenizer.encode("abc")]])
    with torch.no_grad():
        found, expected = after.model(source, target), before.model(source, target)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


def test_texts_have_a_space_before_them_that_nobody_sees(tmp_path: Path) -> None:
    save_model(tmp_path)
    tokenizer = read_pretrained(tmp_path).target_tokenizer
    assert tokenizer.symbols(tokenizer.encode_phrase("ab c")) == ["Ġ", "a", "b", "Ġ", "c"]
    assert tokenizer.decode(tokenizer.encode("ab c")) == "ab c"
    assert tokenizer.encode("ab")[: len(tokenizer.first)] == list(tokenizer.first)


def test_a_model_of_many_languages_is_told_which(tmp_path: Path) -> None:
    model = save_model(tmp_path, languages=True)

    def begins(**languages: str) -> list[str]:
        tokenizer = read_pretrained(tmp_path, **languages).target_tokenizer
        return tokenizer.symbols(tokenizer.first)

    assert begins() == ["<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    assert begins(source_language="de") == ["<|de|>", "<|transcribe|>", "<|notimestamps|>"]
    assert begins(source_language="de", target_language="en")[1] == "<|translate|>"
    with pytest.raises(ModelError, match="language must be one of auto, de, en; got 'fr'"):
        begins(source_language="fr")
    trained = read_pretrained(tmp_path, source_language="de")
    audio = frames(1)
    expected = model.generate(
        audio.transpose(1, 2), language="de", task="transcribe", max_new_tokens=12
    )[0]
    names = {number: name for name, number in NUMBERS.items()}
    search = trained.config.updated({"search.max_length": 15}).search
    output = next(trained.predictor().predict_frames([[audio[0].numpy()]], search))[0]
    written = [names[n] for n in expected.tolist() if names[n] not in SPECIALS]
    assert [name for name in output.tokens if name not in SPECIALS] == written


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    save_model(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"must come with tokenizer\.json; there is none"):
        read_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    state = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(state | {"activation_function": "relu"}))
    with pytest.raises(ModelError, match="activation_function must be one of gelu; got relu"):
        read_pretrained(tmp_path)


# ------------------------------------------------ CTranslate2's files


def test_the_files_of_ctranslate2_give_the_same_model(tmp_path: Path) -> None:
    converters = pytest.importorskip("ctranslate2.converters")
    save_model(tmp_path / "theirs")
    feature_extractor = transformers.WhisperFeatureExtractor(feature_size=8)
    feature_extractor.save_pretrained(tmp_path / "theirs")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(tmp_path / "theirs" / "tokenizer.json"), eos_token="<|endoftext|>"
    )
    tokenizer.save_pretrained(tmp_path / "theirs")
    converters.TransformersConverter(
        str(tmp_path / "theirs"), copy_files=["tokenizer.json"]
    ).convert(str(tmp_path / "converted"))
    first, second = read_pretrained(tmp_path / "theirs"), read_pretrained(tmp_path / "converted")
    audio = frames(2)
    target = torch.tensor([[BEGIN, *first.target_tokenizer.first, END + 5, END + 9]] * 2)
    source = Source(audio, torch.tensor([3000, 3000]))
    with torch.no_grad():
        torch.testing.assert_close(
            second.model(source, target), first.model(source, target), rtol=0, atol=1e-4
        )
    assert second.target_tokenizer.first == first.target_tokenizer.first
    assert second.target_tokenizer.banned_first == first.target_tokenizer.banned_first
