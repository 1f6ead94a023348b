"""``transduce.pipeline``: code written for the pipelines of transformers 4 runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from families import FAMILIES
from published import Pair, write_json

import transduce
from transduce import pipeline
from transduce.errors import ConfigError, DataError, ModelError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    FAMILIES["t5"](tmp_path)
    return tmp_path


def reference(make: str, texts: list[str], folder: Path, **options: object) -> list[list[str]]:
    """What transformers' model and its ``generate`` give."""
    pair: Pair = FAMILIES[make](folder)
    found = pair.generate(texts, **options)
    tokenizer = pair.ours.target_tokenizer
    return [[tokenizer.decode(tokens) for tokens, _ in outputs] for outputs in found]


def with_tasks(folder: Path, **tasks: dict) -> None:
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", {**config, "task_specific_params": tasks})


@pytest.mark.parametrize(
    ("task", "key"),
    [
        ("translation_en_to_fr", "translation_text"),
        ("translation", "translation_text"),
        ("summarization", "summary_text"),
        ("text2text-generation", "generated_text"),
    ],
)
def test_answers_in_the_form_of_version_4(task, key, folder, tmp_path_factory):
    run = transduce.pipeline(task, model=folder, device="cpu")
    run.model.config = run.model.config.updated({"engine": "reference"})
    other = tmp_path_factory.mktemp("other")
    options = {"max_length": 10, "num_beams": 3, "early_stopping": True}
    expected = reference("t5", ["abc", "hello"], other, num_return_sequences=2, **options)
    assert run("abc", max_length=10, num_return_sequences=1, num_beams=3, early_stopping=True) == [
        {key: expected[0][0]}
    ]
    assert run("abc", num_return_sequences=2, **options) == [{key: t} for t in expected[0]]
    assert run(["abc", "hello"], **options) == [{key: texts[0]} for texts in expected]
    assert run(["abc", "hello"], num_return_sequences=2, **options) == [
        [{key: t} for t in texts] for texts in expected
    ]


def test_a_task_has_its_prefix_and_its_options(folder):
    plain = pipeline("translation_en_to_fr", model=folder, device="cpu")
    direct = plain("to French: abc", max_length=8, num_beams=2)
    with_tasks(
        folder, translation_en_to_fr={"prefix": "to French: ", "max_length": 8, "num_beams": 2}
    )
    assert pipeline("translation_en_to_fr", model=folder, device="cpu")("abc") == direct
    other = pipeline("translation_en_to_de", model=folder, device="cpu")
    assert other("to French: abc", max_length=8, num_beams=2) == direct


def test_lengths_count_as_generate_counts(folder):
    run = pipeline("text2text-generation", model=folder, device="cpu")
    for options in ({"max_length": 7}, {"max_new_tokens": 6}):
        assert run._search(options).max_length == 6
    assert run._search({"min_length": 4}).min_length == 3
    assert run._search({}).max_length == 256


def test_draws_are_as_asked(folder, caplog):
    run = pipeline("text2text-generation", model=folder, device="cpu")
    drawn = run._search({"do_sample": True, "temperature": 0.7, "top_k": 9})
    assert (drawn.sample, drawn.temperature, drawn.top_k) == (True, 0.7, 9)
    assert not caplog.text
    assert run._search({"temperature": 0.7}) == run._search({})
    assert "temperature does nothing without do_sample" in caplog.text
    # of a model that draws by itself
    run.model.config = run.model.config.model_copy(update={"search": drawn})
    assert (run._search({}).sample, run._search({}).temperature) == (True, 0.7)
    assert run._search({"top_k": 3}).top_k == 3
    assert not run._search({"do_sample": False, "num_beams": 2}).sample


def test_languages(tmp_path):
    FAMILIES["nllb"](tmp_path)
    run = pipeline(
        "translation", model=tmp_path, src_lang="eng_Latn", tgt_lang="fra_Latn", device="cpu"
    )
    assert run.model.target_tokenizer.symbols(run.model.target_tokenizer.first) == ["fra_Latn"]
    assert set(run("abc", max_length=6)[0]) == {"translation_text"}
    back = pipeline(
        "translation", model=tmp_path, src_lang="fra_Latn", tgt_lang="eng_Latn", device="cpu"
    )
    expected = back("abc", max_length=8)
    assert run("abc", max_length=8, src_lang="fra_Latn", tgt_lang="eng_Latn") == expected
    assert run("abc", max_length=8) != expected
    model = transduce.Transducer.from_pretrained(
        tmp_path, device="cpu", source_language="eng_Latn", target_language="fra_Latn"
    )
    other = model.speaking("fra_Latn", "eng_Latn").predict(["abc"], max_length=7)
    assert other == [expected[0]["translation_text"]]
    with pytest.raises(ModelError, match=r"one of eng_Latn, fra_Latn; got 'deu_Latn'"):
        model.speaking(target="deu_Latn")
    untold = pipeline("translation", model=tmp_path, device="cpu")
    with pytest.raises(ModelError, match="source_language must be one of eng_Latn, fra_Latn"):
        untold("abc")
    assert untold("abc", src_lang="fra_Latn", tgt_lang="eng_Latn", max_length=8) == expected


def test_a_model_of_our_own(folder, tmp_path):
    loaded = transduce.Transducer.from_pretrained(folder, device="cpu")
    loaded.save(tmp_path / "ours")
    run = pipeline("text2text-generation", model=tmp_path / "ours", device="cpu")
    expected = loaded.predict(["abc"], max_length=6, stopping="generate")
    assert run("abc", max_new_tokens=6) == [{"generated_text": expected[0]}]


def test_what_is_wrong_is_named(folder):
    with pytest.raises(ConfigError, match="task must be one of translation_XX_to_YY"):
        pipeline("question-answering", model=folder)
    run = pipeline("translation", model=folder, device="cpu")
    with pytest.raises(ConfigError, match="option must be one of do_sample"):
        run("abc", num_beamz=3)
    with pytest.raises(DataError, match="source must be a text"):
        run(3)
    for asked in (lambda: run("abc", part="ice"), lambda: pipeline("translation", folder, part="")):
        with pytest.raises(ConfigError, match="part must be none for a model of a single data set"):
            asked()


def test_the_folder_of_that_name_is_still_one():
    from transduce.workflow import trained
    from transduce.workflow.trained import TrainedModel

    assert trained.TrainedModel is TrainedModel
    assert callable(transduce.pipeline)
