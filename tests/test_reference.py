"""Every option has its sentence; the page, the schema and the recipes at hand are current."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from command_line import call
from transduce.config import Config, load_config
from transduce.errors import ConfigError
from transduce.reference.options_page import option_sections, options_page
from transduce.reference.schema import recipe_schema
from transduce.reference.sentences import SENTENCES
from transduce.reference.shipped_recipes import about, find_recipe, recipe_names, recipe_text

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "src" / "transduce" / "recipes"
REMAKE = "python -m transduce.reference.options_page > docs/options.md"


def test_each_option_has_one_sentence_and_each_sentence_an_option() -> None:
    told = {
        (section.kind.__name__, option.name): option.sentence
        for section in option_sections()
        for option in section.options
    }
    assert told == {(kind, key): s for kind, keys in SENTENCES.items() for key, s in keys.items()}
    for sentence in told.values():
        assert sentence.endswith(".")
        assert sentence[0].isupper() or sentence[0] == "`"
        assert len(sentence) <= 100
    assert len(told) > 170


def test_every_option_is_on_the_page() -> None:
    """Counted from the schema, which pydantic makes by itself."""
    definitions = Config.model_json_schema()["$defs"]
    page = options_page()
    for name in ("TrainingConfig", "SearchConfig", "AudioConfig", "RecurrentDecoderConfig"):
        for key in definitions[name]["properties"]:
            assert f"| `{key}` |" in page or key == "augmentation"
    assert "| `seed` | whole number" in page
    assert "| `beam` | whole number, at least 1" in page


def test_the_page_is_current() -> None:
    current = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert current == options_page(), f"make it again: {REMAKE}"


def test_the_schema_is_current() -> None:
    written = json.loads((FOLDER / "schema.json").read_text(encoding="utf-8"))
    again = "transduce schema > src/transduce/recipes/schema.json"
    assert written == json.loads(json.dumps(recipe_schema())), f"make it again: {again}"


def test_the_schema_tells_types_bounds_and_sentences() -> None:
    schema = recipe_schema()
    beam = schema["$defs"]["SearchConfig"]["properties"]["beam"]
    assert (beam["type"], beam["minimum"], beam["default"]) == ("integer", 1, 1)
    assert beam["description"] == "Hypotheses that are kept at each step; 1 is greedy search."
    model = schema["$defs"]["ModelConfig"]
    assert "gru-small" in model["properties"]["preset"]["anyOf"][0]["enum"]
    assert model["additionalProperties"] is False
    assert "from" in model["properties"]
    # with a preset a section need not say its kind again, so none may demand it
    assert "required" not in schema["$defs"]["TransformerEncoderConfig"] or (
        "kind" not in schema["$defs"]["TransformerEncoderConfig"]["required"]
    )
    assert "oneOf" not in json.dumps(schema)


def test_a_recipe_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_recipe("g2p") == FOLDER / "g2p.yaml"
    assert find_recipe("g2q") is None
    assert find_recipe("../recipes/g2p") is None
    (tmp_path / "g2p").write_text("a\tb\n")
    assert find_recipe("g2p") is None, "what lies here comes first"


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    assert call(monkeypatch, "recipes") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == recipe_names()
    assert "inflection        Lemma and features to the inflected form" in lines


@pytest.mark.parametrize("name", recipe_names())
def test_a_printed_recipe_is_one_and_names_its_schema(name: str, tmp_path: Path) -> None:
    text = recipe_text(name)
    mine = tmp_path / "mine.yaml"
    mine.write_text(text)
    assert load_config(mine) == load_config(FOLDER / f"{name}.yaml")
    first = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=file://")
    assert os.path.exists(first)
    assert about(name)


def test_an_unknown_recipe(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    with pytest.raises(ConfigError, match=r"recipe must be one of .*; got 'g2', did you mean g2p"):
        recipe_text("g2")
    assert call(monkeypatch, "recipes", "nothing") == 2
    assert "recipe must be one of caption," in capsys.readouterr().err


def test_training_by_the_name_of_a_recipe(tmp_path: Path, monkeypatch: Any) -> None:
    words = [a + b for a in "abcdef" for b in "abcdef"]
    (tmp_path / "pairs.tsv").write_text("".join(f"{w}\t{w[::-1]}\n" for w in words))
    monkeypatch.chdir(tmp_path)
    limits = ("training.max_minutes=null", "training.max_steps=1", "model.preset=gru-tiny")
    given = ("data.train=pairs.tsv", "data.dev_fraction=0.2", "--output", "run")
    assert call(monkeypatch, "train", "reverse", *given, *limits) == 0
    assert load_config(tmp_path / "run" / "config.yaml").name == "reverse"
    assert call(monkeypatch, "check", "reverse", "data.train=pairs.tsv") == 0
