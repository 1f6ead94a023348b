"""The language of a recording, guessed by Whisper, against transformers' own guesses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner
from whisper_models import NUMBERS, SPECIALS, frames, save_model

from transduce import Transducer, cli
from transduce.errors import ModelError
from transduce.pretrained.published_model import read_pretrained
from transduce.workflow.trained import TrainedModel

pytest.importorskip("transformers")

NAMES = {number: name for name, number in NUMBERS.items()}


def model_of_both(folder: Path) -> tuple[Any, Tensor]:
    """A random model and recordings ``[B, S, F]`` some of which are German to it."""
    model = save_model(folder, languages=True)
    with torch.no_grad():  # the two alike, but for a direction that recordings differ in
        table = model.get_input_embeddings().weight
        table[NUMBERS["<|de|>"]] = table[NUMBERS["<|en|>"]] + 0.3 * torch.randn(table.shape[1])
        clips = frames(6)
        table[NUMBERS["<|de|>"]] *= _balance(model, clips)
    model.save_pretrained(folder)
    guesses = model.detect_language(clips.transpose(1, 2))
    assert len(set(guesses.tolist())) == 2
    return model, clips


def _balance(model: Any, clips: Tensor) -> float:
    """What German's logits are multiplied by so that as many recordings are of either language."""
    start = torch.full((len(clips), 1), NUMBERS["<|startoftranscript|>"])
    logits = model(input_features=clips.transpose(1, 2), decoder_input_ids=start).logits[:, -1]
    ratio = logits[:, NUMBERS["<|en|>"]] / logits[:, NUMBERS["<|de|>"]]
    middle = ratio.sort().values[2:4].mean()
    return float(middle)


@pytest.mark.parametrize(("beam", "engine"), [(1, "float32"), (3, "float32"), (3, "reference")])
@pytest.mark.parametrize("task", ["transcribe", "translate"])
def test_each_recording_is_in_the_language_that_transformers_finds(
    tmp_path: Path, beam: int, engine: str, task: str
) -> None:
    model, clips = model_of_both(tmp_path)
    expected = model.generate(
        clips.transpose(1, 2), num_beams=beam, max_new_tokens=15, task=task, length_penalty=1.0
    )
    guesses = model.detect_language(clips.transpose(1, 2)).tolist()
    target = "en" if task == "translate" else None
    trained = read_pretrained(tmp_path, source_language="auto", target_language=target)
    trained.config = trained.config.updated(
        {
            "engine": engine,
            "search.beam": beam,
            "search.max_length": 18,
            "search.batch_tokens": 12_000 * beam,  # four at a time
            "search.stopping": "generate" if beam > 1 else "bound",
            "search.length_normalization": "power",
            "search.length_alpha": 1.0,
        }
    )
    parts = ([clip.numpy()] for clip in clips)
    found = trained.predictor().predict_frames(parts, trained.config.search)
    for (output, *_), row, guess in zip(found, expected.tolist(), guesses, strict=True):
        assert output.tokens[:3] == (NAMES[guess], f"<|{task}|>", "<|notimestamps|>")
        assert output.language == NAMES[guess][2:-2]
        assert output.token_scores[:3] == (0.0, 0.0, 0.0)
        written = [NAMES[number] for number in row if NAMES[number] not in SPECIALS]
        assert [name for name in output.tokens if name not in SPECIALS] == written


def test_all_parts_of_a_recording_are_in_the_language_of_the_first(tmp_path: Path) -> None:
    model, clips = model_of_both(tmp_path)
    names = [NAMES[n][2:-2] for n in model.detect_language(clips.transpose(1, 2)).tolist()]
    trained = read_pretrained(tmp_path, source_language="auto")
    search = trained.config.updated({"search.max_length": 6, "engine": "float32"}).search
    first, other = names.index("de"), names.index("en")
    sources = [[clips[n].numpy() for n in pair] for pair in ((first, other), (other, first))]
    outputs = [best for best, *_ in trained.predictor().predict_frames(iter(sources), search)]
    assert [output.language for output in outputs] == ["de", "en"]
    for output in outputs:
        assert output.tokens.count(f"<|{output.language}|>") == 2


def test_the_language_can_be_chosen_anew(tmp_path: Path) -> None:
    save_model(tmp_path / "theirs", languages=True)
    samples = np.random.default_rng(0).normal(0, 0.1, 8_000).astype("f4")
    model = Transducer.from_pretrained(tmp_path / "theirs", source_language="auto")
    model.save(tmp_path / "ours")
    loaded = Transducer.load(tmp_path / "ours")
    (guessed,) = loaded([samples], max_length=6)[0]
    assert guessed.language in ("de", "en")
    assert guessed == model([samples], max_length=6)[0][0]
    (told,) = loaded.speaking(source=guessed.language)([samples], max_length=6)[0]
    assert told.language == ""
    assert told.tokens == guessed.tokens
    (again,) = loaded.speaking(source="de").speaking(source="auto")([samples], max_length=6)[0]
    assert again.tokens == guessed.tokens
    with pytest.raises(ModelError, match="language must be one of de, en; got 'fr'"):
        loaded.speaking(source="fr")
    with pytest.raises(ModelError, match="target language must be told when the model is imported"):
        loaded.speaking(target="en")


def test_the_terminal_says_what_was_heard(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    save_model(tmp_path / "theirs", languages=True)
    clip, ours = str(tmp_path / "clip.wav"), str(tmp_path / "ours")
    soundfile.write(clip, np.random.default_rng(0).normal(0, 0.1, 8_000), 16_000)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli.app, arguments, catch_exceptions=False).output

    run("import", str(tmp_path / "theirs"), "--output", ours)  # hears English
    plain = json.loads(run("predict", ours, clip, "--format", "jsonl", "search.max_length=6"))
    assert "language" not in plain["hypotheses"][0]
    options = ("--format", "jsonl", "--source-language", "auto", "search.max_length=6")
    heard = json.loads(run("predict", ours, clip, *options))["hypotheses"][0]
    assert heard["tokens"][0] == f"<|{heard['language']}|>"


def test_a_model_of_one_language_has_nothing_to_guess(tmp_path: Path) -> None:
    save_model(tmp_path / "theirs")
    trained = read_pretrained(tmp_path / "theirs", source_language="auto")  # it hears English
    assert trained.target_tokenizer.first_of == {}
    trained.save(tmp_path / "ours")
    with pytest.raises(ModelError, match="language must be guessed by a model of many"):
        TrainedModel.load(tmp_path / "ours").speaking("auto", None)
