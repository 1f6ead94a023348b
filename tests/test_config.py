"""Recipes: what is read, what is refused and how, presets, overrides, YAML in and out."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from transduce.config import (
    Config,
    ParallelFiles,
    RecurrentDecoderConfig,
    RecurrentEncoderConfig,
    SSRUDecoderConfig,
    TagColumn,
    TransformerDecoderConfig,
    TransformerEncoderConfig,
    load_config,
    parse_override,
)
from transduce.config.presets import PRESETS
from transduce.errors import ConfigError


def refusal(values: dict[Any, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        Config.from_mapping(values)
    return str(caught.value)


# ------------------------------------------------------------- what is read


def test_an_empty_recipe_is_all_defaults() -> None:
    assert Config.from_mapping({}) == Config()


def test_sections_without_keys_are_defaults() -> None:
    """A section whose keys are all commented out is null in YAML."""
    assert Config.from_mapping({"data": None, "model": None}) == Config()


def test_files_of_every_shape() -> None:
    files = ["a.tsv", {"source": "b.en", "target": "b.de"}]
    config = Config.from_mapping({"data": {"train": files, "dev": files[1], "test": files[0]}})
    parallel = ParallelFiles(source=Path("b.en"), target=Path("b.de"))
    assert config.data.train == [Path("a.tsv"), parallel]
    assert config.data.dev == parallel
    assert config.data.test == Path("a.tsv")


def test_columns_of_every_shape() -> None:
    source = [0, "lemma", {"tags": 2, "separator": ";"}]
    config = Config.from_mapping({"data": {"source": source, "target": "form"}})
    assert config.data.source == [0, "lemma", TagColumn(tags=2, separator=";")]
    assert config.data.target == "form"


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "transformer"])
def test_kind_chooses_the_options(kind: str) -> None:
    config = Config.from_mapping({"model": {"encoder": {"kind": kind}, "decoder": {"kind": kind}}})
    if kind == "transformer":
        assert isinstance(config.model.encoder, TransformerEncoderConfig)
        assert isinstance(config.model.decoder, TransformerDecoderConfig)
    else:
        assert isinstance(config.model.encoder, RecurrentEncoderConfig)
        assert isinstance(config.model.decoder, RecurrentDecoderConfig)


def test_a_decoder_of_simple_recurrent_units() -> None:
    config = Config.from_mapping({"model": {"decoder": {"kind": "ssru", "feedforward": 0}}})
    assert isinstance(config.model.decoder, SSRUDecoderConfig)
    assert config.model.decoder.feedforward == 0
    for decoder, said in (
        (
            {"kind": "ssru", "positions": "rotary"},
            "positions must be one of .*, none; got 'rotary'",
        ),
        (
            {"kind": "transformer", "feedforward": 0},
            "feedforward must be a whole number of at least 1, or a list .*; got 0",
        ),
    ):
        with pytest.raises(ConfigError, match=said):
            Config.from_mapping({"model": {"decoder": decoder}})


def test_copy_is_the_key_of_copy_source() -> None:
    config = Config.from_mapping({"model": {"copy": True}})
    assert config.model.copy_source
    assert yaml.safe_load(config.to_yaml())["model"]["copy"] is True


def test_a_number_without_a_point_before_its_exponent_is_a_number() -> None:
    """YAML 1.1 reads 1e-3 as text."""
    assert parse_override("training.learning_rate=1e-3") == ("training.learning_rate", "1e-3")
    config = Config().updated({"training.learning_rate": "1e-3"})
    assert config.training.learning_rate == 0.001


def test_config_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().name = "other"  # type: ignore[misc]


# ------------------------------------------------------------- what is refused

FILES = "a path, {source: PATH, target: PATH} or a list of these"
KINDS = "rnn, lstm, gru, transformer"

REFUSED: list[tuple[dict[Any, Any], str]] = [
    ({"name": 3}, "name must be text; got 3"),
    ({"data": 3}, "data must be a section of keys; got 3"),
    ({3: 4}, "3 must be a key of text"),
    ({"data": {3: 4}}, "data.3 must be a key of text"),
    # unknown keys, the nearest known one of the same section
    ({"trainign": {}}, "trainign must be a known key; did you mean training?"),
    ({"training": {"max_minute": 1}}, "training.max_minute must be a known key; "
     "did you mean max_minutes?"),
    ({"evaluation": {"zzz": 1}}, "evaluation.zzz must be a known key; "
     "known here: metrics, bleu_tokenizer, confidence"),
    ({"data": {"train": ["a", {"sourc": "b", "target": "c"}]}},
     "data.train.1.sourc must be a known key; did you mean source?"),
    ({"data": {"source": {"tag": 1}}}, "data.source.tag must be a known key; did you mean tags?"),
    ({"model": {"copy_sources": True}}, "model.copy_sources must be a known key; "
     "known here: preset, from, new_symbols, encoder_from, frontend, encoder, beside, decoder, "
     "embedding_width, scale_embeddings, tie, copy, ctc, ctc_positions"),
    ({"model": {"encoder": {"kind": "lstm", "layer": 3}}},
     "model.encoder.layer must be a known key of kind lstm; did you mean layers?"),
    ({"model": {"encoder": {"kind": "lstm", "feedforward": 3}}},
     "model.encoder.feedforward must be a known key of kind lstm; "
     "known here: kind, layers, width, bidirectional, dropout"),
    ({"model": {"encoder": {"kind": "rnn", "rnn": 3}}},
     "model.encoder.rnn must be a known key of kind rnn; "
     "known here: kind, layers, width, bidirectional, dropout"),
    # a key of another section
    ({"max_minutes": 1}, "max_minutes must be a known key; did you mean training.max_minutes?"),
    ({"device": "cpu"}, "device must be a known key; did you mean training.device?"),
    ({"data": {"beam": 4}}, "data.beam must be a known key; did you mean search.beam?"),
    # choices of shapes
    ({"data": {"train": 3}}, f"data.train must be {FILES}; got 3"),
    ({"data": {"train": []}}, f"data.train must be {FILES}; got []"),
    ({"data": {"dev": ["a", 3]}}, f"data.dev must be {FILES}; got ['a', 3]"),
    ({"data": {"test": {"source": "b"}}}, f"data.test must be {FILES}; got {{'source': 'b'}}"),
    ({"data": {"target": None}}, "data.target must be a column's number (from 0) or name; "
     "got None"),
    ({"data": {"source": {"tags": None}}}, "data.source must be a column's number (from 0) or "
     "name, {tags: COLUMN, separator: TEXT} or a list of these; got {'tags': None}"),
    # kinds
    ({"model": {"ctc_positions": 2}}, "model: ctc_positions must be 1 without ctc; got 2"),
    ({"model": {"encoder": {"kind": "foo"}}},
     f"model.encoder.kind must be one of {KINDS}, mingru, mamba; got 'foo'"),
    ({"model": {"decoder": {"kind": None}}},
     f"model.decoder.kind must be one of {KINDS}, ssru, mingru; got None"),
    ({"model": {"encoder": {"width": 3}}},
     f"model.encoder.kind must be given: one of {KINDS}, mingru, mamba"),
    ({"model": {"encoder": {"kind": "mingru", "width": 31}}},
     "model.encoder: width must be even, half for each direction; got 31"),
    ({"model": {"encoder": {"kind": "mingru", "heads": 4}}},
     "model.encoder.heads must be a known key of kind mingru; known here: kind, layers, width, "
     "feedforward, norm, norm_epsilon, norm_position, activation, bias, dropout"),
    ({"model": {"encoder": {"kind": "mingru", "layers": 2, "feedforward": [8, 9, 7]}}},
     "model.encoder: feedforward must have a number for each of the 2 layers, or be one number "
     "for all; got 3"),
    ({"model": {"encoder": {"kind": "mamba", "width": 31}}},
     "model.encoder: width must be even, half for each direction; got 31"),
    ({"model": {"encoder": {"kind": "mingru", "state_width": 4}}},
     "model.encoder.state_width must be a known key of kind mingru; did you mean width?"),
    ({"model": {"encoder": {"kind": "mamba", "expand": 0}}},
     "model.encoder.expand must be at least 1; got 0"),
    ({"model": {"encoder": {"kind": "mingru", "feedforward": 0}}},
     "model.encoder.feedforward must be a whole number of at least 1, or a list of such, one a "
     "layer; got 0"),
    ({"data": {"input": {"height": 3}}},
     "data.input.kind must be given: one of text, audio, image"),
    ({"model": {"encoder": 3}}, "model.encoder must be a section of keys; got 3"),
    ({"model": "gru-small"}, "model must be a section of keys; got 'gru-small'"),
    # choices of words
    ({"data": {"format": "tvs"}}, "data.format must be one of auto, tsv, csv, jsonl, parquet, "
     "xlsx, lines, datasets; got 'tvs'"),
    ({"model": {"decoder": {"kind": "gru", "attention": "doot"}}},
     "model.decoder.attention must be one of none, dot, general, additive, cosine, multihead; "
     "got 'doot'"),
    ({"evaluation": {"metrics": ["bleu", "blue"]}}, "evaluation.metrics.1 must be one of loss, "
     "perplexity, token_accuracy, exact_match, bleu, chrf, ter, rouge1, rouge2, rougeL, wer, cer, "
     "per; got 'blue'"),
    ({"model": {"preset": [1]}}, f"model.preset must be one of {', '.join(PRESETS)}; got [1]"),
    ({"model": {"preset": "lstm"}}, f"model.preset must be one of {', '.join(PRESETS)}; "
     "got 'lstm', did you mean lstm-small?"),
    # numbers, truth values, text, lists
    ({"training": {"max_minutes": -1}}, "training.max_minutes must be more than 0; got -1"),
    ({"training": {"max_minutes": "ten"}}, "training.max_minutes must be a number; got 'ten'"),
    ({"training": {"max_steps": 2.5}}, "training.max_steps must be a whole number; got 2.5"),
    ({"training": {"max_steps": "2x"}}, "training.max_steps must be a whole number; got '2x'"),
    ({"training": {"learning_rate": math.nan}},
     "training.learning_rate must be a finite number; got nan"),
    ({"training": {"learning_rate": math.inf}},
     "training.learning_rate must be a finite number; got inf"),
    ({"training": {"label_smoothing": 1}}, "training.label_smoothing must be less than 1; got 1"),
    ({"training": {"betas": [0.9]}}, "training.betas must be two numbers of at least 0 and less "
     "than 1; got [0.9]"),
    ({"training": {"betas": [0.9, 1.5]}}, "training.betas must be two numbers of at least 0 and "
     "less than 1; got [0.9, 1.5]"),
    ({"data": {"dev_fraction": 0.7}}, "data.dev_fraction must be at most 0.5; got 0.7"),
    ({"data": {"header": "maybe"}}, "data.header must be true or false; got 'maybe'"),
    ({"model": {"encoder": {"kind": "gru", "layers": 0}}},
     "model.encoder.layers must be at least 1; got 0"),
    ({"model": {"encoder": {"kind": "transformer", "window": 0}}},
     "model.encoder.window must be at least 1; got 0"),
    ({"model": {"encoder": {"kind": "transformer", "global_block": 16}}},
     "model.encoder: global_block must be none without a window; got 16"),
    ({"model": {"encoder": {
        "kind": "transformer", "window": 8, "global_block": 16, "positions": "rotary"}}},
     "model.encoder: positions must not be rotary with global_block, whose summaries stand "
     "nowhere; got rotary"),
    ({"model": {"encoder": {"kind": "transformer", "attention": "general"}}},
     "model.encoder.attention must be one of softmax, linear; got 'general'"),
    ({"model": {"encoder": {"kind": "transformer", "attention": "linear", "window": 8}}},
     "model.encoder: window must be none with attention: linear; got 8"),
    ({"model": {"encoder": {
        "kind": "transformer", "attention": "linear", "positions": "relative"}}},
     "model.encoder: positions must not be rotary or relative with attention: linear, which "
     "compares no position with another; got relative"),
    ({"model": {"encoder": {
        "kind": "transformer", "attention": "linear", "attention_dropout": 0.1}}},
     "model.encoder: attention_dropout must be 0 with attention: linear, which has no weights; "
     "got 0.1"),
    ({"search": {"forbidden": "x"}}, "search.forbidden must be a list; got 'x'"),
    ({"search": {"required": ["a", 3]}}, "search.required.1 must be text; got 3"),
    # options that must agree
    ({"model": {"encoder": {"kind": "transformer", "width": 256, "heads": 3}}},
     "model.encoder: width must be a multiple of heads (3); got 256"),
    ({"model": {"decoder": {"kind": "transformer", "heads": 4, "key_value_heads": 3}}},
     "model.decoder: heads must be a multiple of key_value_heads (3); got 4"),
    ({"model": {"decoder": {"kind": "transformer", "width": 12, "heads": 4,
                            "positions": "rotary"}}},
     "model.decoder: width / heads must be even with rotary positions; got 12 / 4"),
    ({"search": {"beam": 2, "nbest": 3}}, "search: nbest must be at most beam (2); got 3"),
    ({"search": {"beam": 3, "diverse_groups": 2}},
     "search: beam must be a multiple of diverse_groups (2); got 3"),
    ({"search": {"beam": 2, "sample": True}}, "search: beam must be 1 when sample is true; got 2"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "message"), REFUSED, ids=[m[:50] for _, m in REFUSED])
def test_refused_in_one_line_that_names_the_key(values: dict[Any, Any], message: str) -> None:
    assert refusal(values) == message


def test_a_long_value_is_cut_in_the_message() -> None:
    message = refusal({"data": {"format": "q" * 500}})
    assert message.endswith("q…")
    assert len(message) < 200


def test_a_mistyped_key_is_named_before_what_is_missing_for_it() -> None:
    assert "did you mean kind?" in refusal(
        {"model": {"encoder": {"kind": "gru", "width": 0, "kindd": "gru"}}}
    )


def keys_of(model: type[BaseModel], way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        key = (*way, field.alias or name)
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys_of(inner, key)
        yield key


@pytest.mark.parametrize("key", [k for k in keys_of(Config) if len(k[-1]) > 4], ids=".".join)
def test_any_key_with_a_letter_missing_is_suggested(key: tuple[str, ...]) -> None:
    mistyped = key[-1][:2] + key[-1][3:]
    values: dict[str, Any] = {mistyped: None}
    for section in reversed(key[:-1]):
        values = {section: values}
    where = ".".join((*key[:-1], mistyped))
    assert refusal(values) == f"{where} must be a known key; did you mean {key[-1]}?"


# ------------------------------------------------------------- presets


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_whole_model_section(name: str) -> None:
    config = Config.from_mapping({"model": {"preset": name}})
    kind = name.partition("-")[0]
    kinds = ("transformer", "ssru") if kind == "student" else (kind, kind)
    assert (config.model.encoder.kind, config.model.decoder.kind) == kinds
    wanted = PRESETS[name]
    assert config.model.encoder.width == wanted["model"]["encoder"]["width"]
    assert config.training.learning_rate == wanted["training"]["learning_rate"]


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru", "transformer"])
def test_presets_grow(kind: str) -> None:
    sizes = [PRESETS[f"{kind}-{size}"]["model"] for size in ("tiny", "small", "base")]
    widths = [size["encoder"]["width"] for size in sizes]
    assert widths == sorted(set(widths))


def test_what_the_recipe_says_wins_over_the_preset() -> None:
    config = Config.from_mapping(
        {
            "model": {"preset": "gru-small", "decoder": {"attention": "dot"}},
            "training": {"learning_rate": 0.5},
        }
    )
    assert config.training.learning_rate == 0.5
    decoder = config.model.decoder
    assert isinstance(decoder, RecurrentDecoderConfig)
    assert decoder.attention == "dot"
    assert decoder.width == PRESETS["gru-small"]["model"]["decoder"]["width"]


def test_another_kind_of_part_has_its_own_options() -> None:
    """A GRU decoder under a preset Transformer encoder takes no feed-forward width along."""
    config = Config.from_mapping(
        {"model": {"preset": "transformer-tiny", "decoder": {"kind": "gru", "width": 96}}}
    )
    assert config.model.encoder.kind == "transformer"
    assert config.model.decoder == RecurrentDecoderConfig(kind="gru", width=96)


def test_a_wrong_section_is_refused_beside_a_preset_too() -> None:
    assert (
        refusal({"model": {"preset": "gru-tiny"}, "training": 0})
        == "training must be a section of keys; got 0"
    )


def test_presets_are_not_changed_by_use() -> None:
    before = yaml.safe_dump(PRESETS)
    Config.from_mapping({"model": {"preset": "gru-tiny", "encoder": {"width": 7}}})
    assert yaml.safe_dump(PRESETS) == before


# ------------------------------------------------------------- a changed copy


def test_updated_changes_one_key_and_leaves_the_first() -> None:
    first = Config.from_mapping({"name": "a", "training": {"max_steps": 5}})
    second = first.updated({"training.max_minutes": 2, "search.beam": 4})
    assert (first.training.max_minutes, first.search.beam) == (None, 1)
    assert (second.training.max_minutes, second.search.beam) == (2.0, 4)
    assert (second.name, second.training.max_steps) == ("a", 5)


def test_updated_names_a_wrong_key() -> None:
    with pytest.raises(ConfigError, match=r"^search.bean must be a known key; did you mean beam"):
        Config().updated({"search.bean": 4})
    with pytest.raises(ConfigError, match=r"^name must be a section to set name.x; got 'a'"):
        Config(name="a").updated({"name.x": 4})


def test_another_preset_brings_its_own_settings() -> None:
    first = Config.from_mapping({"model": {"preset": "gru-tiny"}})
    for second in (first, Config.from_mapping(yaml.safe_load(first.to_yaml()))):
        changed = second.updated({"model.preset": "transformer-small"})
        assert changed == Config.from_mapping({"model": {"preset": "transformer-small"}})


def test_another_preset_leaves_what_was_set_by_hand() -> None:
    first = Config.from_mapping(
        {"model": {"preset": "gru-tiny", "tie": "target"}, "training": {"learning_rate": 0.5}}
    )
    changed = first.updated({"model.preset": "lstm-base"})
    assert changed.model.tie == "target"
    assert changed.training.learning_rate == 0.5
    assert changed.training.warmup_steps == PRESETS["lstm-base"]["training"]["warmup_steps"]
    assert changed.model.encoder.kind == "lstm"


def test_a_default_set_by_hand_stays_over_a_preset() -> None:
    dropout = RecurrentEncoderConfig(kind="gru").dropout
    assert PRESETS["gru-tiny"]["model"]["encoder"]["dropout"] != dropout
    first = Config.from_mapping({"model": {"preset": "gru-tiny", "encoder": {"dropout": dropout}}})
    assert first.updated({"name": "b"}).model.encoder.dropout == dropout


# ------------------------------------------------------------- YAML


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "recipe.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_load_config_reads_and_overrides(tmp_path: Path) -> None:
    path = written(tmp_path, "name: ein Wörterbuch\ndata: {train: a.tsv}\ntraining:\n")
    config = load_config(path, ["training.max_minutes=10", "data.train={source: a, target: b}"])
    assert config.name == "ein Wörterbuch"
    assert config.training.max_minutes == 10
    assert config.data.train == ParallelFiles(source=Path("a"), target=Path("b"))


def test_an_override_of_the_preset_replaces_its_settings(tmp_path: Path) -> None:
    path = written(tmp_path, "model: {preset: gru-tiny}\n")
    config = load_config(path, ["model.preset=lstm-base"])
    assert config == Config.from_mapping({"model": {"preset": "lstm-base"}})


TENFOLD = [
    "a0: &a0 [x]",
    *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)),
]
BOMB = "\n".join(TENFOLD)
MERGED = BOMB.replace("[x]", "{x: 1}").replace("[", "{<<: [").replace("]", "]}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "{path}, line 1: recipe must be valid YAML; expected the node content"),
        ("name: a\n\tb: c", "{path}, line 2: recipe must be valid YAML; found character"),
        ("name: a\nname: b\n", "{path}, line 2: recipe must be valid YAML; key 'name' is given"),
        ("name: 2020-13-45", "{path}: recipe must be valid YAML; month must be in 1..12"),
        ("name: !!timestamp x", "{path}: recipe must be valid YAML; each value must be what"),
        ("name: !!python/name:os.system", "{path}, line 1: recipe must be valid YAML; could not"),
        ("- a\n- b", "{path}: recipe must be a mapping of sections; got list"),
        ("name: a\x00", "{path}: recipe must be valid YAML; unacceptable character"),
        (b"name: \xff\xfe\xfa", "recipe must be UTF-8 text; got {path}"),
        ("a: &a [*a]", "{path}: recipe must be valid YAML; it must have 100,000 values at most"),
        (BOMB, "{path}: recipe must be valid YAML; it must have 100,000 values at most, aliases"),
        (MERGED, "{path}: recipe must be valid YAML; it must have 100,000 values at most"),
        ("[" * 2000, "{path}: recipe must be valid YAML; it must not be nested so deep"),
        ("#" * 300_000, "recipe must be a readable file; got {path} (it must have 0.25 MB at most"),
        ("search: {beam: 0}", "{path}: search.beam must be at least 1; got 0"),
    ],
)
def test_load_config_names_file_and_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(message.format(path=path))
    assert "\n" not in str(caught.value)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yaml"
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == (
        f"recipe must be a readable file; got {path} (No such file or directory)"
    )
    with pytest.raises(ConfigError, match="Is a directory"):
        load_config(tmp_path)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("a.b=1", "a.b", 1),
        (" a.b = 1.5 ", "a.b", 1.5),
        ("a=", "a", None),
        ("a=b=c", "a", "b=c"),
        ("a=[1, x]", "a", [1, "x"]),
        ("a={b: {c: true}}", "a", {"b": {"c": True}}),
    ],
)
def test_parse_override(text: str, key: str, value: object) -> None:
    assert parse_override(text) == (key, value)


@pytest.mark.parametrize("text", ["", "training", "=1", "  =1"])
def test_an_override_is_key_equals_value(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^override must be of the form KEY=VALUE; got "):
        parse_override(text)


@pytest.mark.parametrize(
    "value",
    ["[1", "{a: b", "0x_", "2020-13-45", "{a: 1, a: 2}", "a: b: c", "!!timestamp x", "[" * 9999],
)
def test_an_override_has_a_yaml_value(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^value of a must be valid YAML; got "):
        parse_override(f"a={value}")


def test_aliases_that_people_write(tmp_path: Path) -> None:
    stack = "{kind: transformer, layers: 2, width: 8, heads: 2}"
    text = f"model:\n  encoder: &stack {stack}\n  decoder: *stack\n"
    model = load_config(written(tmp_path, text)).model
    assert (model.encoder.layers, model.decoder.layers) == (2, 2)


# ------------------------------------------------------------- properties

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=9)
paths = st.from_regex(r"[a-zäß0-9]{1,6}\.(tsv|csv|jsonl\.gz)", fullmatch=True)
files = st.one_of(paths, st.fixed_dictionaries({"source": paths, "target": paths}))
columns = st.one_of(
    st.integers(0, 9),
    names,
    st.fixed_dictionaries(
        {"tags": st.integers(0, 9)}, optional={"separator": names | st.lists(names, min_size=1)}
    ),
)
length = st.integers(1, 10**6)
share = st.floats(0, 0.99)


@st.composite
def stacks(draw: st.DrawFn, *, decoder: bool) -> dict[str, Any]:
    kinds = ["rnn", "lstm", "gru", "transformer", "mingru", "ssru" if decoder else "mamba"]
    kind = draw(st.sampled_from(kinds))
    heads = draw(st.integers(1, 4))
    options: dict[str, st.SearchStrategy[Any]] = {"layers": st.integers(1, 1024), "dropout": share}
    if kind in ("transformer", "ssru", "mingru", "mamba"):
        options |= {"norm": st.sampled_from(["layer", "rms"]), "bias": st.booleans()}
    if kind in ("mingru", "mamba") and not decoder:
        fixed = {"width": st.integers(1, 64).map(lambda n: 2 * n)}
    elif kind in ("transformer", "ssru", "mingru"):
        fixed = {"heads": st.just(heads), "width": st.integers(1, 8).map(lambda n: 2 * n * heads)}
    else:
        options |= {"width": st.integers(1, 65536)}
        options |= {"input_feeding": st.booleans()} if decoder else {"bidirectional": st.booleans()}
        fixed = {}
    return draw(st.fixed_dictionaries({"kind": st.just(kind), **fixed}, optional=options))


recipes = st.fixed_dictionaries(
    {},
    optional={
        "name": names,
        "data": st.fixed_dictionaries(
            {},
            optional={
                "train": st.one_of(files, st.lists(files, min_size=1, max_size=3)),
                "source": st.one_of(columns, st.lists(columns, min_size=1, max_size=3)),
                "dev_fraction": st.floats(0, 0.5),
                "max_source_length": st.none() | length,
            },
        ),
        "model": st.one_of(
            st.fixed_dictionaries(
                {"encoder": stacks(decoder=False), "decoder": stacks(decoder=True)},
                optional={"copy": st.booleans(), "tie": st.sampled_from(["none", "target"])},
            ),
            st.fixed_dictionaries(
                {"preset": st.sampled_from(sorted(PRESETS))},
                optional={"copy": st.booleans(), "encoder": stacks(decoder=False)},
            ),
        ),
        "training": st.fixed_dictionaries(
            {},
            optional={
                "max_minutes": st.none() | st.floats(0.01, 1e6),
                "learning_rate": st.floats(1e-9, 10),
                "betas": st.tuples(share, share).map(list),
            },
        ),
        "search": st.fixed_dictionaries(
            {}, optional={"beam": st.integers(1, 9), "forbidden": st.lists(names, max_size=2)}
        ),
    },
)


@given(recipes)
def test_yaml_gives_the_same_config_back(recipe: dict[str, Any]) -> None:
    config = Config.from_mapping(recipe)
    assert Config.from_mapping(yaml.safe_load(config.to_yaml())) == config


@given(recipes)
def test_updated_with_nothing_is_equal(recipe: dict[str, Any]) -> None:
    config = Config.from_mapping(recipe)
    assert config.updated({}) == config


@given(recipes, st.integers(1, 99), names)
def test_updated_is_what_the_recipe_with_that_key_is(
    recipe: dict[str, Any], steps: int, name: str
) -> None:
    changed = {**recipe, "name": name}
    changed["training"] = {**recipe.get("training", {}), "max_steps": steps}
    config = Config.from_mapping(recipe).updated({"name": name, "training.max_steps": steps})
    assert config == Config.from_mapping(changed)


sections = [".".join(key) for key in keys_of(Config)]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "source", "target", "tags", "train", "width"])
            | st.text(max_size=3)
            | st.integers(),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@given(st.sampled_from(sections), anything)
def test_anything_anywhere_is_a_config_or_one_clear_line(key: str, value: object) -> None:
    message = key
    try:
        Config().updated({key: value})
    except ConfigError as error:
        message = str(error)
    assert message.startswith(key.partition(".")[0])
    assert "\n" not in message


@given(st.text(max_size=30) | st.text("abcx_0123456789.:-{}[],&*!|>'\"# \n=", max_size=30))
def test_any_text_is_a_recipe_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8")
    with contextlib.suppress(ConfigError):  # anything else that is raised is a bug
        assert isinstance(load_config(path, [f"name={text}"]), Config)


# ---------------------------------------------------------------- mixtures


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"parts": {}}, "data.parts must be parts by name, {NAME: {train: FILES}}; got {}"),
        ({"parts": [{"name": "ice"}]}, "data.parts must be parts by name, {NAME: {train: FILES}}"),
        ({"parts": {"ice": None}}, "data.parts.ice must be a section of keys; got None"),
        ({"parts": {"ice": {"trian": "a"}}}, "data.parts.ice.trian must be a known key; did you"),
        ({"parts": {"train": {"trian": "a"}}}, "data.parts.train.trian must be a known key; did"),
        ({"parts": {"train": {"train": 3}}}, "data.parts.train.train must be a path, {source: PA"),
        ({"part": {"ice": {"train": "a"}}}, "data.part must be a known key; did you mean parts?"),
        ({"parts": {False: {"train": "a"}}}, "data.parts must have names of text, in quotation m"),
        ({"parts": {2021: {"train": "a"}}}, "in quotation marks; got 2021"),
        ({"parts": {"a/b": {"train": "a"}}}, "names of parts must be letters, digits, - and _, "),
        ({"parts": {"a": {"train": "a", "weight": -1}}}, "data.parts.a.weight must be more than 0"),
        ({"parts": {"a": {"train": "a", "weight": 0}}}, "data.parts.a.weight must be more than 0"),
        ({"parts": {"a": {"train": "a", "tag": "⟪"}}}, "tag must be some text without ⟪ and ⟫; g"),
        ({"parts": {"a": {"train": "a", "tag": ""}}}, "tag must be some text without ⟪ and ⟫; got"),
        ({"parts": {"a": {"train": "a", "tag": False}}}, "data.parts.a.tag must be text; got Fal"),
        ({"parts": {"a": {"train": "a"}}, "train": "b"}, "train must be given in each of data.par"),
        ({"parts": {"a": {"train": "a"}}, "test": "b"}, "test must be given in each of data.parts"),
        ({"temperature": 0.5}, "data.temperature must be at least 1; got 0.5"),
        ({"tags": "front"}, "data.tags must be one of source, target, both, none; got 'front'"),
    ],
)
def test_wrong_mixtures_are_told_by_their_key(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Config.from_mapping({"data": data})
    assert message in str(raised.value)


def test_a_part_named_twice_is_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("data:\n  parts:\n    ice: {train: a}\n    ice: {train: b}\n")
    with pytest.raises(ConfigError, match=r"line 4: recipe must be valid YAML; key 'ice' is given"):
        load_config(recipe)


def test_parts_can_be_changed_one_by_one(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("data:\n  parts:\n    ice: {train: a}\n    kor: {train: b}\n")
    config = load_config(recipe, ["data.parts.kor.train=c", "data.parts.kor.weight=2"])
    assert config.data.parts is not None
    assert [str(part.train) for part in config.data.parts.values()] == ["a", "c"]
    again = tmp_path / "again.yaml"
    again.write_text(config.to_yaml())
    assert load_config(again) == config
    assert config.updated({"data.parts.ice.test": "t"}).data.parts["ice"].test == Path("t")  # type: ignore[index]
