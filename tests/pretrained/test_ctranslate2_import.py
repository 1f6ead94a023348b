"""Models from CTranslate2: what we exported comes back, and others answer as they do there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from transduce.config import Config
from transduce.errors import ModelError
from transduce.interfaces import BEGIN, END, Source
from transduce.models.seq2seq import Seq2Seq
from transduce.pretrained.ctranslate2.converted import is_ctranslate2, read_ctranslate2
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.trained import TrainedModel

ctranslate2 = pytest.importorskip("ctranslate2")

TEXTS = ["ab cd", "d ab c, ab", "cd!", "b abc d", "ab ab cd c"]
BASE = {"kind": "transformer", "layers": 2, "width": 16, "feedforward": 24, "heads": 4}
SHAPES: dict[str, dict[str, Any]] = {
    "pre": {},
    "post": {"norm_position": "post"},
    "rms": {"norm": "rms"},
    "bart": {"norm_position": "post", "embedding_norm": True, "norm_epsilon": 1e-5},
    "gelu": {"activation": "gelu"},
    "gelu-tanh": {"activation": "gelu-tanh"},
    "silu": {"activation": "silu"},
    "geglu": {"activation": "geglu"},
    "swiglu": {"activation": "swiglu"},
    "learned": {"positions": "learned", "max_positions": 64},
    "fairseq": {"positions": "fairseq"},
    "rotary": {"positions": "rotary"},
    "relative": {"positions": "relative"},
    "none": {"positions": "none"},
    "grouped": {"key_value_heads": 2},
    "no bias": {"bias": False, "norm": "rms", "positions": "relative"},
}


def untrained(encoder: dict[str, Any], decoder: dict[str, Any], **model: Any) -> TrainedModel:
    """A model whose norms and biases are no zeros and ones."""
    config = Config.from_mapping(
        {"model": {"encoder": {**BASE, **encoder}, "decoder": {**BASE, **decoder}, **model}}
    )
    tokenizers = [Tokenizer.train(TEXTS, config.tokenizer.source) for _ in range(2)]
    trained = TrainedModel.fresh(config, *tokenizers)
    with torch.no_grad():
        for parameter in trained.model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    trained.model.eval()
    return trained


@torch.no_grad()
def logits(trained: TrainedModel) -> torch.Tensor:
    """Of what an output may hold, ``[B, T, V - 3]``."""
    source = Source.of_tokens(trained.source_tokenizer.encode_batch(TEXTS))
    target = torch.tensor([[BEGIN, *trained.target_tokenizer.encode("ab cd,")]] * len(TEXTS))
    return trained.model(source, target)[..., END:]


@pytest.mark.parametrize("name", SHAPES)
def test_an_export_comes_back(name: str, tmp_path: Path) -> None:
    from transduce.export.folder import export_trained

    trained = untrained(SHAPES[name], SHAPES[name])
    export_trained(trained, tmp_path / "model")
    assert is_ctranslate2(tmp_path / "model")
    back = read_ctranslate2(tmp_path / "model")
    torch.testing.assert_close(logits(back), logits(trained), rtol=0, atol=1e-5)
    before, after = (
        model.config.model.encoder.model_dump(
            exclude={"dropout", "max_positions", "key_value_heads", "head_width", "feedforward"}
        )
        for model in (trained, back)
    )
    assert before == after
    assert back.target_tokenizer.to_json() == trained.target_tokenizer.to_json()


@pytest.mark.parametrize(
    ("encoder", "decoder", "model", "tie"),
    [
        ({}, {}, {"tie": "all"}, "all"),
        ({}, {}, {"tie": "target", "scale_embeddings": False}, "target"),
        ({}, {}, {"embedding_width": 12}, "none"),
        ({"width": 24, "heads": 3}, {"layers": 1, "norm_position": "post"}, {}, "none"),
    ],
)
def test_what_joins_the_stacks_comes_back(
    encoder: dict[str, Any],
    decoder: dict[str, Any],
    model: dict[str, Any],
    tie: str,
    tmp_path: Path,
) -> None:
    from transduce.export.folder import export_trained

    trained = untrained(encoder, decoder, **model)
    export_trained(trained, tmp_path / "model")
    back = read_ctranslate2(tmp_path / "model")
    torch.testing.assert_close(logits(back), logits(trained), rtol=0, atol=1e-5)
    assert back.config.model.tie == tie


@pytest.mark.parametrize("kind", ["int8", "int16", "float16", "bfloat16"])
def test_quantized_exports_are_near(kind: str, tmp_path: Path) -> None:
    from transduce.export.folder import export_trained

    trained = untrained({}, {})
    export_trained(trained, tmp_path / "model", kind)
    back = read_ctranslate2(tmp_path / "model")
    difference = logits(back) - logits(trained)
    assert 0 < difference.abs().max() < 0.1


# ------------------------------------------------ models that others made

SYMBOLS = ["</s>", "a", "b", "<unk>", "c", "d", "<pad>", "e", "f"]
SOURCES = [["a", "b", "c"], ["f"], ["d", "e", "a", "a"]]
TARGETS = [["c", "b"], ["a", "a", "a"], ["f", "e", "d", "c"]]


def foreign(folder: Path, kind: str = "float32", **options: Any) -> Path:
    """A model by CTranslate2's own classes, all weights drawn; the end starts its targets."""
    specs = ctranslate2.specs
    shape = {"num_layers": 2, "num_heads": 4, **options}
    shape.pop("biased", None)
    spec = specs.TransformerSpec(
        specs.transformer_spec.TransformerEncoderSpec(**shape),
        specs.transformer_spec.TransformerDecoderSpec(**shape),
    )
    generator = np.random.default_rng(0)
    pairs = options.get("num_heads_kv", 4)
    rows = {"self_attention/linear_0": 16 + 8 * pairs, "/attention/linear_1": 8 * pairs}
    inner = {"ffn/linear_0": 24, "ffn/linear_0_noact": 24}

    def fill(layer: Any, name: str, value: object) -> None:
        scope, _, last = name.rpartition("/")
        if value is not None and last != "bias":  # which linear maps may lack
            return
        high = next((n for end, n in {**rows, **inner}.items() if scope.endswith(end)), 16)
        high = len(SYMBOLS) if "embeddings" in scope or "projection" in scope else high
        wide = 24 if scope.endswith("ffn/linear_1") else 16
        drawn = generator.normal(0, 0.4, (high, wide)).astype("f4")
        if last == "encodings":
            drawn = generator.normal(0, 0.4, (40, 16)).astype("f4")
        if last in ("bias", "gamma", "beta"):
            drawn = drawn[:, 0]
        if last == "bias" and "rotary_dim" in options and "biased" not in options:
            drawn = np.zeros_like(drawn)  # of keys they would not fit in
        setattr(layer, last, drawn)

    spec._visit(fill)
    spec.register_source_vocabulary(SYMBOLS)
    spec.register_target_vocabulary(SYMBOLS)
    spec.config.decoder_start_token = "</s>"
    spec.config.bos_token = "</s>"
    spec.config.add_source_eos = True
    spec.validate()
    spec.optimize(kind)
    folder.mkdir()
    spec.save(str(folder))
    return folder


@torch.no_grad()
def ours(model: Seq2Seq, source: list[int], target: list[int]) -> torch.Tensor:
    scores = model(Source.of_tokens([source]), torch.tensor([[BEGIN, *target]]))[0].log_softmax(-1)
    return scores.gather(1, torch.tensor([*target, END])[:, None])[:, 0]


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({}, 1e-4),
        ({"kind": "float16"}, 1e-4),
        ({"pre_norm": False, "layernorm_embedding": True}, 1e-4),
        ({"rotary_dim": 0, "rotary_interleave": False, "num_heads_kv": 2}, 1e-4),
        ({"rotary_dim": 4, "rotary_interleave": True}, 1e-4),
        ({"ffn_glu": True, "activation": 2, "rms_norm": True}, 1e-4),
        ({"activation": 3}, 1e-4),
    ],
)
def test_probabilities_are_theirs(
    options: dict[str, Any], tolerance: float, tmp_path: Path
) -> None:
    folder = foreign(tmp_path / "model", **options)
    theirs = ctranslate2.Translator(str(folder), device="cpu", compute_type="float32")
    trained = read_ctranslate2(folder)
    numbers = {symbol: n for n, symbol in enumerate(trained.target_tokenizer.symbols(range(10)))}
    scores = theirs.score_batch(SOURCES, TARGETS)
    for source, target, score in zip(SOURCES, TARGETS, scores, strict=True):
        found = ours(trained.model, [numbers[s] for s in source], [numbers[s] for s in target])
        torch.testing.assert_close(found, torch.tensor(score.log_probs), rtol=0, atol=tolerance)
    results = theirs.translate_batch(
        SOURCES,
        beam_size=1,
        min_decoding_length=0,
        max_decoding_length=20,
        suppress_sequences=[["<unk>"], ["<pad>"]],  # which no output of ours holds
    )
    search = trained.config.updated({"search.max_length": 20}).search
    found = [best.text for best, *_ in trained.predict([" ".join(s) for s in SOURCES], search)]
    assert found == [" ".join(result.hypotheses[0]) for result in results]


# ------------------------------------------------ what cannot be read


def changed(folder: Path, **settings: object) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return folder


def test_what_we_have_no_place_for_is_named(tmp_path: Path) -> None:
    def refused(name: str, **options: Any) -> str:
        with pytest.raises(ModelError) as caught:
            read_ctranslate2(foreign(tmp_path / name, **options))
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "encoder/activation must be ReLU, GELU or SiLU, 0 to 3 (got 5)" in refused(
        "tanh", activation=5
    )
    assert "activation must be GELU with tanh or SiLU on a gate (got relu)" in refused(
        "gate", ffn_glu=True, activation=0
    )
    assert "self_attention/rotary_dim must be all 4 of a head (got 2)" in refused(
        "part", rotary_dim=2
    )
    assert "rotary_base must be 10000" in refused("base", rotary_dim=0, rotary_base=500)
    assert "zero for keys with rotary positions" in refused("keys", rotary_dim=0, biased=True)
    assert "has no place for; got decoder/layer_0/attention/k_norm/gamma" in refused(
        "norms", qk_norm=True
    )


def test_settings_that_contradict_are_named(tmp_path: Path) -> None:
    folder = foreign(tmp_path / "model")
    vocabulary = next(folder.glob("*vocabulary.json"))  # with OpenNMT's padding, not transformers'
    vocabulary.write_text(vocabulary.read_text().replace("<pad>", "<blank>"))
    for settings, message in [
        ({"add_source_eos": False}, "add_source_eos must be true"),
        ({"add_source_bos": True}, "add_source_bos must be false"),
        ({"decoder_start_token": None}, "decoder_start_token must be a symbol; got null"),
        ({"eos_token": "<end>"}, "must hold the end '<end>'; it has no such symbol"),
    ]:
        original = (folder / "config.json").read_text()
        with pytest.raises(ModelError, match=message) as caught:
            read_ctranslate2(changed(folder, **settings))
        assert str(folder) in str(caught.value)
        (folder / "config.json").write_text(original)


def test_broken_folders_are_named(tmp_path: Path) -> None:
    folder = foreign(tmp_path / "model")
    vocabulary = next(folder.glob("*vocabulary.json"))
    (folder / "shared_vocabulary.txt").write_text("</s>\na\n<unk>\n")
    vocabulary.unlink()
    with pytest.raises(ModelError, match="must have 3 rows, as the vocabulary has; got 9"):
        read_ctranslate2(folder)
    (folder / "shared_vocabulary.txt").unlink()
    with pytest.raises(ModelError, match="model must have a vocabulary; it has no source_vocab"):
        read_ctranslate2(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json must be readable JSON"):
        read_ctranslate2(folder)
