"""What an export refuses, and what it says; none of it needs CTranslate2."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from small_transformers import mixture, saved, transformer, untrained, untrained_mixture

from transduce.commands.export import export
from transduce.config import Config, SearchConfig
from transduce.errors import ConfigError, ModelError
from transduce.export.folder import export_trained, require_free
from transduce.export.usage import left_out, model_left_out, program

Patch = pytest.MonkeyPatch
WHOLE = {"kind": "transformer", "layers": 3, "width": 16, "feedforward": 8, "heads": 4}
PRUNED = {**WHOLE, "head_width": 4}  # heads stay as wide as they were


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"encoder": {"kind": "lstm", "width": 8}},
            "model.encoder.kind must be transformer for ctranslate2; got lstm",
        ),
        (
            {"encoder": {"kind": "transformer", "width": 8}, "decoder": {"kind": "gru"}},
            "model.decoder.kind must be transformer for ctranslate2; got gru",
        ),
        (
            {"encoder": {**WHOLE, "attention": "linear"}, "decoder": WHOLE},
            "model.encoder.attention must be softmax for ctranslate2; got linear",
        ),
        (
            {"encoder": {**WHOLE, "window": 9}, "decoder": WHOLE},
            "model.encoder.window must be none for ctranslate2; got 9",
        ),
        (
            {"preset": "student-small"},
            "model.decoder.kind must be transformer for ctranslate2; got ssru",
        ),
        (
            {"preset": "transformer-tiny", "copy": True},
            "model.copy must be false for ctranslate2; got true",
        ),
        (
            {"encoder": {**PRUNED, "heads": [4, 2, 3]}, "decoder": WHOLE},
            "model.encoder.heads must be as many in all layers for ctranslate2; got [4, 2, 3]",
        ),
        (
            {"encoder": WHOLE, "decoder": {**PRUNED, "heads": [1, 2, 2]}},
            "model.decoder.heads must be as many in all layers for ctranslate2; got [1, 2, 2]",
        ),
        (
            {"encoder": WHOLE, "decoder": {**WHOLE, "head_width": 4, "memory_heads": [1, 2, 2]}},
            "model.decoder.memory_heads must be as many as heads for ctranslate2; got [1, 2, 2]",
        ),
        (
            {"encoder": {**PRUNED, "heads": 3}, "decoder": WHOLE},
            "model.encoder.head_width must be width / heads for ctranslate2; got 4",
        ),
    ],
)
def test_a_model_that_does_not_fit_is_named_by_its_key(
    tmp_path: Path, model: dict[str, object], message: str
) -> None:
    folder = saved(Config.from_mapping({"model": model}), tmp_path / "model")
    with pytest.raises(ModelError) as caught:
        export(folder, "ctranslate2", tmp_path / "out", "float32", None)
    assert str(caught.value) == message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (None, r"part must be one of copy, turn \(--part NAME\); got none"),
        ("tern", "part must be one of copy, turn; got 'tern', did you mean turn"),
    ],
)
def test_a_mixture_is_asked_for_a_part(tmp_path: Path, part: str | None, message: str) -> None:
    trained = untrained_mixture(mixture(tmp_path))
    trained.save(tmp_path / "model")
    with pytest.raises(ConfigError, match=message):
        export(tmp_path / "model", "ctranslate2", tmp_path / "out", "float32", None, part)
    with pytest.raises(ConfigError, match=message):
        export_trained(trained, tmp_path / "out", part=part)
    assert not (tmp_path / "out").exists()


def test_a_model_of_one_data_set_has_no_parts(tmp_path: Path) -> None:
    folder = saved(transformer({}, {}), tmp_path / "model")
    with pytest.raises(ConfigError, match="part must be none for a model of a single data set"):
        export(folder, "ctranslate2", tmp_path / "out", "float32", None, "turn")


def test_the_missing_package_is_named(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    folder = saved(transformer({}, {}), tmp_path / "model")
    with pytest.raises(ConfigError, match=r"pip install 'transduce\[ctranslate2\]'"):
        export(folder, "ctranslate2", tmp_path / "out", "float32", None)
    with pytest.raises(ConfigError, match=r"pip install 'transduce\[ctranslate2\]'"):
        export_trained(untrained(transformer({}, {})), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("form", "quantization", "message"),
    [
        ("onnx", "float32", "--format must be ctranslate2; got 'onnx'"),
        ("ctranslate2", "int4", "--quantization must be one of float32, .*; got 'int4'"),
    ],
)
def test_unknown_choices_are_refused(
    tmp_path: Path, form: str, quantization: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        export(tmp_path / "none", form, tmp_path / "out", quantization, None)


def test_the_directory_must_be_free(tmp_path: Path) -> None:
    require_free(tmp_path / "new")
    require_free(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"--output must be a new directory; got .* holds files"):
        require_free(tmp_path)
    with pytest.raises(ConfigError, match=r"--output must be a directory; got .*file"):
        require_free(tmp_path / "file")


def test_options_without_counterpart_are_named() -> None:
    assert left_out(SearchConfig(beam=4, nbest=2, max_length=9, min_length=1)) == []
    options = SearchConfig(
        beam=4, diverse_groups=2, length_normalization="gnmt", max_length_ratio=2.0, prefix="a"
    )
    assert left_out(options) == [
        "diverse_groups",
        "max_length_ratio",
        "prefix",
        "length_normalization",
    ]
    assert left_out(SearchConfig(length_normalization="power", length_alpha=0.4)) == []


def test_what_the_model_loses_is_named() -> None:
    config = transformer({}, {}, ctc=True)
    assert model_left_out(config) == [
        "model.ctc: the encoder's own output stays behind, the decoder alone writes",
        "sources have at most 4,096 tokens there: no more positions",
        "outputs have at most 4,096 tokens there: no more positions",
    ]
    assert model_left_out(transformer({"positions": "rotary"}, {"positions": "learned"})) == []


def test_a_power_of_the_length_and_several_hypotheses_are_asked_for_there_too() -> None:
    search = {"search.beam": 3, "search.nbest": 2, "search.length_normalization": "power"}
    config = transformer({}, {}).updated({**search, "search.length_alpha": 0.7})
    assert left_out(config.search) == []
    assert "length_penalty=0.7, num_hypotheses=2" in program(Path("a"), config, "x")


def test_the_program_says_what_differs_from_ctranslate2() -> None:
    config = transformer({}, {}).updated(
        {
            "tokenizer.target.right_to_left": True,
            "search.beam": 3,
            "search.length_normalization": "none",
            "search.no_repeat_ngram": 2,
        }
    )
    text = program(Path("a'b"), config, 'x "y"')
    compile(text, "program", "exec")
    assert "beam_size=3, max_decoding_length=8" in text
    assert "length_penalty=0, no_repeat_ngram_size=2" in text
    assert ".tokens]" in text
    assert "hypotheses[0][::-1]" in text


def test_a_power_of_the_length_is_the_length_penalty_there() -> None:
    options = {"search.length_normalization": "power", "search.length_alpha": 0.4}
    text = program(Path("a"), transformer({}, {}).updated(options), "x")
    assert "length_penalty=0.4)" in text
