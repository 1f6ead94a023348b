"""Languages: of a recipe, of several models, of a text."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reversal_run import Run
from started import Started, started
from transduce.server.shelf.language_pairs import LanguagePairs, listed_together
from transduce.server.texts.language_guess import base_code, guessed_languages
from transduce.workflow.trained import TrainedModel


@pytest.fixture(scope="module")
def both(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """``ende`` reverses, ``deen`` answers with the first letter of that."""
    home, folders = tmp_path_factory.mktemp("languages"), {}
    for name, source, target, longest in (("ende", "en", "de", 30), ("deen", "de", "en-GB", 1)):
        folders[name] = home / name
        shutil.copytree(run.folder, folders[name], ignore=shutil.ignore_patterns("training"))
        own = TrainedModel.load(folders[name])
        told = {"source.language": source, "target.language": target}
        own.config = own.config.updated({**told, "search.max_length": longest})
        own.save(folders[name])
    with started(folders) as server:
        yield server


def test_all_models_are_listed(both: Started) -> None:
    assert both.ask("GET", "/languages").json == [
        {"code": "en", "name": "en", "targets": ["de"]},
        {"code": "de", "name": "de", "targets": ["en-GB"]},
        {"code": "en-GB", "name": "en-GB", "targets": []},
    ]
    settings = both.ask("GET", "/frontend/settings").json["language"]
    assert (settings["source"]["code"], settings["target"]["code"]) == ("en", "de")
    found = [
        one["language"]
        for kind in ("source", "target")
        for one in both.ask("GET", f"/v2/languages?type={kind}").json
    ]
    assert found == ["EN", "DE", "DE", "EN-GB"]
    pairs = both.ask("GET", "/v2/glossary-language-pairs").json["supported_languages"]
    assert pairs[1] == {"source_lang": "de", "target_lang": "en-gb"}


def test_the_model_is_that_of_the_pair(both: Started) -> None:
    def told(source: str, target: str) -> str:
        asked = {"q": "abcd", "source": source, "target": target}
        return str(both.post("/translate", asked).json["translatedText"])

    assert told("en", "de") == told("xx", "yy") == told("eng", "deu") == "dcba"
    assert told("de", "en") == told("fr", "en") == "d"
    deepl = both.post("/v2/translate", {"text": ["abcd"], "target_lang": "EN-GB"}).json
    own = {"detected_source_language": "DE", "text": "d", "billed_characters": 4}
    assert deepl["translations"] == [own]


def test_a_text_says_its_language(both: Started) -> None:
    for text, code in (("Der Hund ist nicht da.", "de"), ("The dog is not here.", "en")):
        (found,) = both.post("/detect", {"q": text}).json
        assert found["language"] == code
        assert 90 < found["confidence"] <= 100
    (found,) = both.post("/detect", {"q": "123"}).json
    assert found["confidence"] == 50.0
    asked = {"q": "The dog is not here.", "source": "auto", "target": "de"}
    assert both.post("/translate", asked).json["detectedLanguage"]["language"] == "en"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Un homme marche dans la rue avec son chien.", "fr"),
        ("Un hombre camina por la calle con su perro.", "es"),
        ("Człowiek idzie ulicą ze swoim psem.", "pl"),
        ("Чоловік іде вулицею зі своїм собакою.", "uk"),
        ("Мужчина идёт по улице с собакой.", "ru"),
        ("男性が犬と一緒に通りを歩いています。", "ja"),
        ("一个男人在街上遛狗。", "zh"),
        ("مردی با سگش در خیابان راه می‌رود", "fa"),
        ("एक आदमी सड़क पर चल रहा है", "hi"),
    ],
)
def test_guesses_among_many(text: str, code: str) -> None:
    codes = "en de fr es it pt nl pl cs ru uk bg ar fa ur hi mr zh ja ko el he th"
    assert guessed_languages(text, codes.split(" "))[0][0] == code


def test_codes_that_name_a_script() -> None:
    codes = ["srp_Cyrl", "srp_Latn", "eng_Latn"]
    assert guessed_languages("Шта је то?", codes)[0][0] == "srp_Cyrl"
    assert guessed_languages("Šta je to?", codes)[0][0] == "srp_Latn"
    assert [base_code(own) for own in ("deu_Latn", "de-AT", "qqq")] == ["de", "de", "qqq"]
    assert guessed_languages("", ["a", "b"]) == [("a", 0.5), ("b", 0.5)]


def test_a_model_of_many_beside_one_of_two() -> None:
    many, two = LanguagePairs(("eng_Latn", "deu_Latn"), "und", "und"), LanguagePairs((), "fr", "de")
    assert many.chosen("en", "DE") == ("eng_Latn", "deu_Latn")
    assert [many.fit("en", "de"), many.fit("fr", "de"), many.fit("de", "fr")] == [2, 1, 0]
    assert [two.fit("fr", "de"), two.fit("en", "de"), two.fit("fr", "en")] == [2, 1, 0]
    assert [own["code"] for own in listed_together([many, two])] == [
        "eng_Latn", "deu_Latn", "fr", "de",
    ]  # fmt: skip


def test_a_recipe_has_languages(tmp_path: Path) -> None:
    from transduce.config import Config, load_config
    from transduce.errors import ConfigError

    path = tmp_path / "recipe.yaml"
    path.write_text("source: {language: no}\ntarget: {language: pt-BR}\n", encoding="utf-8")
    config = load_config(path)
    assert (config.source.language, config.target.language) == ("no", "pt-BR")
    with pytest.raises(ConfigError, match="language must be a code such as de"):
        Config.from_mapping({"source": {"language": "German language"}})
