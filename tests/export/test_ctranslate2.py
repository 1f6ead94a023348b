"""CTranslate2 holds what we gave it: the same probabilities, the same outputs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from small_transformers import TEXTS, call, saved, shake, transformer, untrained

from transduce.config import SearchConfig
from transduce.export.folder import export_model, export_trained
from transduce.export.usage import compare, program
from transduce.interfaces import BEGIN, END, PADDING, UNKNOWN, Source
from transduce.models.build import build_model
from transduce.models.seq2seq import Seq2Seq
from transduce.search import decode_all

ctranslate2 = pytest.importorskip("ctranslate2")

SIZE = 30
SYMBOLS = ["<pad>", "<unk>", "<bos>", "<eos>", *(f"s{n}" for n in range(4, SIZE))]
NEVER = [PADDING, UNKNOWN, BEGIN]

SHAPES: dict[str, dict[str, Any]] = {
    "pre": {},
    "post": {"norm_position": "post"},
    "rms": {"norm": "rms"},
    "gelu": {"activation": "gelu"},
    "gelu-tanh": {"activation": "gelu-tanh"},
    "silu": {"activation": "silu"},
    "geglu": {"activation": "geglu"},
    "bart": {"norm_position": "post", "embedding_norm": True, "norm_epsilon": 1e-5},
    "swiglu": {"activation": "swiglu"},
    "learned": {"positions": "learned", "max_positions": 256},
    "rotary": {"positions": "rotary"},
    "relative": {"positions": "relative"},
    "no positions": {"positions": "none"},
    "grouped": {"key_value_heads": 2},
    "no bias": {"bias": False},
    "much": {
        "bias": False,
        "norm": "rms",
        "norm_position": "post",
        "activation": "swiglu",
        "positions": "relative",
        "key_value_heads": 1,
    },
}
MODELS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    **{name: (shape, shape, {}) for name, shape in SHAPES.items()},
    "tied": ({}, {}, {"tie": "all"}),
    "narrow embeddings": ({}, {}, {"tie": "target", "embedding_width": 12}),
    "two widths": ({"width": 24, "heads": 3}, {}, {}),
    "pruned": ({"feedforward": [24, 8]}, {"feedforward": [7, 16]}, {}),
    "pruned, gated": (
        {"feedforward": [24, 12], "activation": "swiglu"},
        {"feedforward": [36, 12], "activation": "swiglu"},
        {},
    ),
    "two stacks": ({"layers": 3, "norm_position": "post"}, {"positions": "learned"}, {}),
}


def sentences(seed: int, count: int, longest: int) -> list[list[int]]:
    chance = random.Random(seed)
    return [chance.choices(range(4, SIZE), k=chance.randint(1, longest)) for _ in range(count)]


def named(rows: Sequence[Sequence[int]]) -> list[list[str]]:
    return [[SYMBOLS[number] for number in row] for row in rows]


def translator(model: Seq2Seq, shape: Any, folder: Path, quantization: str = "float32") -> Any:
    export_model(model, shape, SYMBOLS, SYMBOLS, folder, quantization)
    return ctranslate2.Translator(str(folder), device="cpu", intra_threads=1)


def build(name: str) -> tuple[Seq2Seq, Any]:
    encoder, decoder, options = MODELS[name]
    config = transformer(encoder, decoder, **options).model
    model = shake(build_model(config, SIZE, SIZE))
    with torch.no_grad():
        model.output.bias[NEVER] = -1e4  # as the export writes it, so that log-softmax agrees
    return model, config


@torch.no_grad()
def log_probs(model: Seq2Seq, source: list[int], target: list[int]) -> torch.Tensor:
    logits = model(Source.of_tokens([source]), torch.tensor([[BEGIN, *target]]))
    right = torch.tensor([*target, END])[:, None]
    return logits[0].log_softmax(dim=-1).gather(1, right)[:, 0]


@pytest.mark.parametrize("name", MODELS)
def test_probabilities_and_outputs_are_ours(name: str, tmp_path: Path) -> None:
    model, config = build(name)
    other = translator(model, config, tmp_path / "out")
    sources, targets = sentences(1, 6, 150), sentences(2, 6, 150)
    scores = other.score_batch(named(sources), named(targets), max_input_length=0)
    for source, target, score in zip(sources, targets, scores, strict=True):
        expected = log_probs(model, source, target)
        torch.testing.assert_close(torch.tensor(score.log_probs), expected, rtol=0, atol=1e-4)
    results = other.translate_batch(
        named(sources), beam_size=1, max_decoding_length=12, min_decoding_length=0
    )
    ours = decode_all(model, sources, SearchConfig(max_length=12))
    assert [result.hypotheses[0] for result in results] == named([best.tokens for best, *_ in ours])


@pytest.mark.parametrize("name", ["pre", "tied"])
def test_a_beam_is_ours_where_lengths_agree(name: str, tmp_path: Path) -> None:
    """END is out of reach: with it the two divide by other lengths, and stop at other times."""
    model, config = build(name)
    with torch.no_grad():
        model.output.bias[END] = -1e4
    other = translator(model, config, tmp_path / "out")
    sources = sentences(3, 10, 20)
    results = other.translate_batch(named(sources), beam_size=4, max_decoding_length=10)
    ours = decode_all(model, sources, SearchConfig(beam=4, max_length=10))
    assert [result.hypotheses[0] for result in results] == named([best.tokens for best, *_ in ours])


@pytest.mark.parametrize("quantization", ["float32", "int8"])
def test_an_export_leaves_the_model_as_it_is(quantization: str, tmp_path: Path) -> None:
    model, config = build("pre")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    translator(model, config, tmp_path / "out", quantization)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_int8_is_smaller_and_tied_weights_are_stored_once(tmp_path: Path) -> None:
    sizes = {}
    for name, quantization in (("tied", "float32"), ("tied", "int8"), ("pre", "float32")):
        model, config = build(name)
        folder = tmp_path / f"{name}-{quantization}"
        translator(model, config, folder, quantization)
        sizes[name, quantization] = (folder / "model.bin").stat().st_size
    assert sizes["tied", "int8"] < sizes["tied", "float32"]
    matrix = 4 * SIZE * 16  # bytes; two of three are gone, for the price of two names
    assert sizes["pre", "float32"] - sizes["tied", "float32"] > 2 * matrix - 100


# ---------------------------------------------------------------- with tokenizers


@pytest.mark.parametrize("kind", ["character", "whitespace", "word", "bpe", "unigram"])
@pytest.mark.parametrize("right_to_left", [False, True])
def test_the_program_prints_what_predict_says(
    kind: str, right_to_left: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {
        "kind": kind,
        "normalization": "nfkc",
        "lowercase": True,
        "right_to_left": right_to_left,
        "vocabulary_size": 280 if kind in ("bpe", "unigram") else None,
    }
    config = transformer({}, {}).updated(
        {"tokenizer.source": options, "tokenizer.target": options, "search.min_length": 3}
    )
    trained = untrained(config, ("⟪PL⟫",))
    export_trained(trained, tmp_path / "out")
    sentence = "AB ⟪PL⟫ﬁd c"
    exec(compile(program(tmp_path / "out", config, sentence), "program", "exec"), {})
    predictor = trained.predictor(None, trained.model)
    [[expected]] = predictor.predict([sentence], config.search)
    assert expected.tokens
    assert capsys.readouterr().out == f"{expected.text}\n"
    [agreement] = compare(trained, tmp_path / "out", [*TEXTS, "", "⟪PL⟫"])
    assert (agreement.beam, agreement.same, agreement.compared) == (1, 7, 7)


def test_the_command_checks_on_dev_data_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dev = tmp_path / "dev.tsv"
    dev.write_text("ab\tba\ncd\tdc\n")
    config = transformer({}, {}).updated({"data.dev": str(dev), "search.coverage_penalty": 0.1})
    model = saved(config, tmp_path / "model")
    assert call(monkeypatch, model, "--output", tmp_path / "one") == 0
    said = capsys.readouterr().out
    assert "source.encode('ab')" in said
    assert "# search.coverage_penalty has no counterpart in CTranslate2\n" in said
    assert said.endswith("# greedy: 2 of 2 outputs equal the model's\n")

    dev.unlink()
    assert call(monkeypatch, model, "-o", tmp_path / "two", "--quantization", "int8") == 0
    assert "# not compared: the recipe names no dev files" in capsys.readouterr().out

    sources = tmp_path / "sources.txt"
    sources.write_text("d\n\nab cd\nc\n")
    assert call(monkeypatch, model, "-o", tmp_path / "three", "--check", sources) == 0
    assert "# greedy: 3 of 3" in capsys.readouterr().out
    names = {path.name for path in (tmp_path / "three").iterdir()}
    assert {"model.bin", "source.tokenizer.json", "target.tokenizer.json"} <= names

    sources.write_text("\n")
    assert call(monkeypatch, model, "-o", tmp_path / "four", "--check", sources) == 2
    assert "--check must name a file with sources" in capsys.readouterr().err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".", "four"))]
