"""Models that transformers runs behind our search: what its own ``generate`` writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from library_models import write_bert_to_gpt2, write_gpt2, write_trocr
from PIL import Image
from published import TEXTS, randomized, saved, unigram, write_json
from tokenizers import processors

from transduce import Transducer, pipeline
from transduce.errors import ModelError
from transduce.interfaces import BEGIN, Source
from transduce.pretrained.foreign.foreign_model import AdaptedModel
from transduce.pretrained.published_model import read_pretrained

BEAM = {"num_beams": 3, "num_return_sequences": 3, "max_new_tokens": 9}
SEARCH = {"beam": 3, "nbest": 3, "max_length": 9, "stopping": "generate",
          "length_normalization": "power", "length_alpha": 1.0}  # fmt: skip


def predicted(ours: AdaptedModel, sources: list, **options: object) -> list[list[tuple]]:
    search = ours.config.updated({f"search.{k}": v for k, v in options.items()}).search
    symbols = ours.target_tokenizer.symbols(range(ours.target_tokenizer.size))
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    return [
        [([numbers[t] for t in h.tokens], h.score) for h in outputs]
        for outputs in ours.predict(sources, search)
    ]


def agree(ours: AdaptedModel, sources: list, generated, first: int = 1) -> None:
    """Tokens and scores of all beams; ``first`` tokens of theirs are no output."""
    numbering = ours.target_tokenizer._imported.numbering
    found = [beam for outputs in predicted(ours, sources, **SEARCH) for beam in outputs]
    expected = []
    for row, score in zip(generated.sequences.tolist(), generated.sequences_scores, strict=True):
        row = row[first:]
        row = row[: row.index(numbering.end)] if numbering.end in row else row
        expected.append((numbering.translate(n for n in row if n != numbering.padding), score))
    assert [tokens for tokens, _ in found] == [tokens for tokens, _ in expected]
    wanted = [float(score) for _, score in expected]
    assert [score for _, score in found] == pytest.approx(wanted, rel=1e-4, abs=1e-4)


@pytest.fixture
def bert_to_gpt2(tmp_path: Path):
    return (*write_bert_to_gpt2(tmp_path), tmp_path)


def test_bert_to_gpt2(bert_to_gpt2):
    model, tokenizer, folder = bert_to_gpt2
    ours = read_pretrained(folder, device="cpu")
    rows = [tokenizer.encode(text).ids for text in TEXTS]
    width = max(map(len, rows))
    tokens = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    generated = model.generate(
        input_ids=tokens, attention_mask=mask, do_sample=False, return_dict_in_generate=True,
        output_scores=True, **BEAM,
    )  # fmt: skip
    agree(ours, TEXTS, generated)
    alone = [predicted(ours, [text], **SEARCH)[0][0][0] for text in TEXTS]
    assert alone == [outputs[0][0] for outputs in predicted(ours, TEXTS, **SEARCH)]


def test_bans_are_taken_over(bert_to_gpt2):
    model, tokenizer, folder = bert_to_gpt2
    inputs = {"input_ids": torch.tensor([tokenizer.encode("hello world").ids])}
    options = {"do_sample": False, "return_dict_in_generate": True, "output_scores": True}
    plain = model.generate(**inputs, **options, **BEAM).sequences[0].tolist()
    bans = {"bad_words_ids": [plain[1:3], [plain[4]]], "begin_suppress_tokens": [plain[2]]}
    known = json.loads((folder / "generation_config.json").read_text())
    write_json(folder / "generation_config.json", known | bans)
    generated = model.generate(**inputs, **options, **BEAM, **bans)
    assert generated.sequences[0].tolist() != plain
    agree(read_pretrained(folder, device="cpu"), ["hello world"], generated)


def test_steps_one_by_one_are_one_step(bert_to_gpt2):
    ours = read_pretrained(bert_to_gpt2[2], device="cpu")
    state = ours.stepper().start(Source.of_tokens(ours.source_tokenizer.encode_batch(TEXTS)))
    target = torch.cat([torch.full((4, 1), BEGIN), torch.randint(4, 200, (4, 5))], dim=1)
    whole, _ = ours.stepper().step(target, state)
    steps = []
    for column in target.T:
        logits, state = ours.stepper().step(column[:, None], state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), whole, atol=1e-4, rtol=1e-4)


def test_a_picture_to_text(tmp_path):
    model = write_trocr(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (3, 20, 44, 3), dtype=np.uint8)
    paths = []
    for number, picture in enumerate(noise):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(picture).save(paths[-1])
    theirs = transformers.AutoImageProcessor.from_pretrained(str(tmp_path))
    pixels = theirs(images=[Image.open(path) for path in paths], return_tensors="pt").pixel_values
    generated = model.generate(
        pixel_values=pixels, do_sample=False, return_dict_in_generate=True, output_scores=True,
        suppress_tokens=[1, 3], **BEAM,
    )  # fmt: skip
    ours = read_pretrained(tmp_path, device="cpu")
    agree(ours, paths, generated)
    answers = pipeline("image-to-text", model=tmp_path, device="cpu")(paths[:2], max_new_tokens=4)
    assert [set(answer[0]) for answer in answers] == [{"generated_text"}] * 2


@pytest.fixture
def gpt2(tmp_path: Path):
    return (*write_gpt2(tmp_path), tmp_path)


def test_gpt2_goes_on(gpt2):
    model, tokenizer, folder = gpt2
    ours = read_pretrained(folder, device="cpu")
    for text in TEXTS:
        tokens = torch.tensor([tokenizer.encode(text).ids])
        generated = model.generate(
            input_ids=tokens, do_sample=False, return_dict_in_generate=True, output_scores=True,
            pad_token_id=0, **BEAM,
        )  # fmt: skip
        agree(ours, [text], generated, first=tokens.shape[1])
    together = predicted(ours, TEXTS, **SEARCH)
    alone = [predicted(ours, [text], **SEARCH)[0] for text in TEXTS]
    for one, all_of_them in zip(alone, together, strict=True):
        assert [tokens for tokens, _ in one] == [tokens for tokens, _ in all_of_them]
    run = pipeline("text-generation", model=folder, device="cpu")
    assert run("abc", max_new_tokens=4)[0]["generated_text"].startswith("abc")


def test_another_encoder_decoder(tmp_path):
    tokenizer = unigram(["<pad>", "</s>", "<unk>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        "$A </s>", special_tokens=[("</s>", 1)]
    )
    config = transformers.UMT5Config(
        vocab_size=tokenizer.get_vocab_size(), d_model=32, d_kv=8, d_ff=40, num_layers=2,
        num_heads=4, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    model = randomized(transformers.UMT5ForConditionalGeneration(config))
    saved(model, tokenizer, tmp_path)
    ours = read_pretrained(tmp_path, device="cpu")
    rows = [tokenizer.encode(text).ids for text in TEXTS]
    width = max(map(len, rows))
    tokens = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    generated = model.generate(
        input_ids=tokens, attention_mask=(tokens != 0).long(), do_sample=False,
        return_dict_in_generate=True, output_scores=True, suppress_tokens=[0, 2], **BEAM,
    )  # fmt: skip
    agree(ours, TEXTS, generated)


def test_what_it_cannot_do_is_said(gpt2):
    loaded = Transducer.from_pretrained(gpt2[2], device="cpu")
    with pytest.raises(ModelError, match=r"model\.from must be of a family with modules of ours"):
        Transducer({"from": str(gpt2[2])}, max_steps=1).fit(["a", "b"] * 9, ["b", "a"] * 9)
    with pytest.raises(ModelError, match="attention must be that of a model of ours"):
        loaded.trained_.attention("a", "b")
    write_json(gpt2[2] / "config.json", {"model_type": "nothing-known"})
    with pytest.raises(ModelError, match="transformers must be able to load the model"):
        Transducer.from_pretrained(gpt2[2])
