"""One checkpoint laid out otherwise: tied tensors under any name, tokens beside the tokenizer."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import families
import pytest
import torch
import transformers
from published import train_pieces, write_json
from safetensors.torch import load_file, save_file
from test_vocabularies import cut, folder_with
from whisper_models import save_model

from transduce.errors import ModelError
from transduce.pretrained.checkpoint.published_vocabulary import (
    byte_level_vocabulary,
    fairseq_vocabulary,
    marian_vocabularies,
    read_pipeline,
    t5_vocabulary,
)
from transduce.pretrained.published_model import read_pretrained

SHARED, HEAD = "shared.weight", "lm_head.weight"
ENCODER, DECODER = "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"
LAYOUTS = [[ENCODER], [DECODER], [HEAD], [DECODER, HEAD], [SHARED, ENCODER, DECODER, HEAD]]


def laid_out(folder: Path, names: list[str], **changed: torch.Tensor) -> None:
    file = folder / "model.safetensors"
    weights = load_file(file)
    prefix = "model." if f"model.{SHARED}" in weights else ""
    table = weights.pop(f"{prefix}{SHARED}")
    tied = {name if name == HEAD else f"{prefix}{name}": table.clone() for name in names}
    save_file({**weights, **tied, **changed}, file, metadata={"format": "pt"})


@pytest.mark.parametrize("family", ["t5", "bart"])
@pytest.mark.parametrize("names", LAYOUTS, ids=str)
def test_tied_tensors_under_any_of_their_names(family, names, tmp_path):
    torch.manual_seed(0)
    families.FAMILIES[family](tmp_path)
    expected = read_pretrained(tmp_path, device="cpu").model.state_dict()
    laid_out(tmp_path, names)
    found = read_pretrained(tmp_path, device="cpu").model.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_tied_tensors_that_differ_are_refused(tmp_path):
    families.t5(tmp_path)
    size = json.loads((tmp_path / "config.json").read_text())["vocab_size"]
    laid_out(tmp_path, [SHARED], **{DECODER: torch.ones(size, 32)})
    with pytest.raises(ModelError, match=rf"{SHARED} and {DECODER} must be the same"):
        read_pretrained(tmp_path)


def test_whisper_under_its_other_name(tmp_path):
    save_model(tmp_path)
    expected = read_pretrained(tmp_path, device="cpu").model.state_dict()
    weights = load_file(tmp_path / "model.safetensors")
    weights["proj_out.weight"] = weights.pop("model.decoder.embed_tokens.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    found = read_pretrained(tmp_path, device="cpu").model.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


# ------------------------------------------------ tokens beside the tokenizer


def decoder_of(number: int, content: str, **flags: bool) -> dict[str, object]:
    return {"added_tokens_decoder": {str(number): {"content": content, **flags}}}


@pytest.mark.parametrize("listed", ["added_tokens", "tokenizer_config"])
def test_t5_with_a_token_of_its_own(listed, tmp_path):
    options = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    train_pieces(tmp_path / "spiece.model", **options)
    pieces = t5_vocabulary(folder_with(tmp_path)).pipeline.get_vocab_size()
    files = {"added_tokens": {"<sep>": pieces}, "tokenizer_config": decoder_of(pieces, "<sep>")}
    checkpoint = folder_with(tmp_path, **{listed: files[listed]})
    vocabulary = t5_vocabulary(checkpoint)
    theirs = transformers.T5Tokenizer.from_pretrained(str(tmp_path))
    if listed == "added_tokens":
        theirs.add_tokens(["<sep>"])
    for text in ("the cat <sep> sat", "<sep>", "a<sep>b", "x <extra_id_1> <sep> y"):
        assert cut(vocabulary, text, 2) == theirs(text, add_special_tokens=False)["input_ids"]
    assert pieces not in vocabulary.hidden
    assert cut(vocabulary, "a </s> <pad>", 2).count(1) == 0


def test_byte_level_with_a_token_of_its_own(tmp_path):
    from tokenizers import pre_tokenizers

    letters = [*families.FAIRSEQ, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    write_json(tmp_path / "vocab.json", {name: n for n, name in enumerate(letters)})
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    number = len(letters) + 3  # others may have no name
    checkpoint = folder_with(tmp_path, "bart", added_tokens={"<sep>": number})
    vocabulary = byte_level_vocabulary(checkpoint)
    found = cut(vocabulary, "a <sep> b", 3)
    assert [found.index(number), len(found)] == [2, 5]
    assert vocabulary.pipeline.decode(found, skip_special_tokens=False) == "a <sep> b"


def test_marian_and_fairseq_with_tokens_of_their_own(tmp_path):
    for name in ("source.spm", "target.spm", "sentencepiece.bpe.model"):
        train_pieces(tmp_path / name)
    entries = {"</s>": 0, "<unk>": 1, "▁the": 2, "<pad>": 3}
    checkpoint = folder_with(tmp_path, "marian", vocab=entries, added_tokens={"<sep>": 4})
    source, _ = marian_vocabularies(checkpoint)
    assert cut(source, "the <sep>the", 1)[0] == 2
    assert 4 in cut(source, "the <sep>the", 1)
    plain = fairseq_vocabulary(
        folder_with(tmp_path, special_tokens_map={"additional_special_tokens": ["en_XX", "fr_XX"]})
    ).pipeline  # and <mask>, behind them
    last = plain.get_vocab_size()
    files = {
        "added_tokens": {"<sep>": last, "fr_XX": last - 2, "en_XX": last - 3, "<mask>": last - 1}
    }
    (tmp_path / "special_tokens_map.json").unlink()
    vocabulary = fairseq_vocabulary(folder_with(tmp_path, **files))
    assert vocabulary.pipeline.get_vocab() == {**plain.get_vocab(), "<sep>": last}


def test_tokens_beside_tokenizer_json(tmp_path, caplog):
    families.t5(tmp_path)
    size = read_pipeline(tmp_path).pipeline.get_vocab_size()
    write_json(tmp_path / "added_tokens.json", {"<sep>": size, "<far>": size + 9})
    with caplog.at_level(logging.WARNING, "transduce"):
        vocabulary = read_pipeline(tmp_path)
    assert vocabulary.pipeline.token_to_id("<sep>") == size
    assert vocabulary.pipeline.token_to_id("<far>") is None
    assert f"added token <far> of number {size + 9} is not taken over" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("added_tokens", {"<sep>": -1}, "added tokens must be numbered 0 to"),
        ("added_tokens", {"": 7}, "added tokens must have 1 to 512 characters"),
        ("tokenizer_config", {"added_tokens_decoder": []}, "must be tokens by number"),
        ("tokenizer_config", {"added_tokens_decoder": {"x": {"content": "a"}}}, "must be numbered"),
        ("tokenizer_config", {"added_tokens_decoder": {"5": "a"}}, "must be tokens by number"),
        ("tokenizer_config", {"additional_special_tokens": [3]}, "must be texts of 1 to 512"),
    ],
)
def test_broken_lists_are_named(name, content, message, tmp_path):
    train_pieces(tmp_path / "spiece.model", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    with pytest.raises(ModelError, match=message) as caught:
        t5_vocabulary(folder_with(tmp_path, **{name: content}))
    assert str(tmp_path) in str(caught.value)
