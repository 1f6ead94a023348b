"""One tiny published model of each family, saved by transformers, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sentencepiece
import torch
import transformers
from published import Pair, byte_level, randomized, saved, train_pieces, unigram, write_json

__all__ = ["FAMILIES"]

FAIRSEQ = ["<s>", "<pad>", "</s>", "<unk>"]
SMALL = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 48,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 2,
    "max_position_embeddings": 64,
}


def t5(folder: Path, scale: float = 0.4) -> Pair:
    tokenizer = unigram(["<pad>", "</s>", "<unk>"])
    config = transformers.T5Config(
        # six rows more than the tokenizer has, as published ones have
        vocab_size=tokenizer.get_vocab_size() + 6, d_model=32, d_kv=12, d_ff=48, num_layers=2,
        num_heads=4, decoder_start_token_id=0,
    )  # fmt: skip
    model = randomized(transformers.T5ForConditionalGeneration(config), scale=scale)
    return Pair(model, saved(model, tokenizer, folder))


def t5_gated(folder: Path) -> Pair:
    tokenizer = unigram(["<pad>", "</s>", "<unk>"])
    config = transformers.T5Config(
        vocab_size=tokenizer.get_vocab_size(), d_model=32, d_kv=6, d_ff=48, num_layers=2,
        num_heads=4, decoder_start_token_id=0, feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )  # fmt: skip
    model = randomized(transformers.T5ForConditionalGeneration(config), scale=0.2)
    model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) * 0.3)
    return Pair(model, saved(model, tokenizer, folder))


def byt5(folder: Path) -> Pair:
    config = transformers.T5Config(
        vocab_size=384, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4,
        decoder_start_token_id=0, feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    )  # fmt: skip
    model = randomized(transformers.T5ForConditionalGeneration(config), scale=0.2)
    model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) * 0.3)
    transformers.ByT5Tokenizer().save_pretrained(folder)
    return Pair(model, saved(model, None, folder))


def bart(folder: Path, forced_begin: int | None = None, end: int | None = 2) -> Pair:
    tokenizer = byte_level([*FAIRSEQ, "<mask>"])
    config = transformers.BartConfig(
        vocab_size=tokenizer.get_vocab_size(), decoder_start_token_id=2,
        forced_bos_token_id=forced_begin, forced_eos_token_id=end, **SMALL,
    )  # fmt: skip
    model = randomized(transformers.BartForConditionalGeneration(config))
    model.generation_config.forced_bos_token_id = forced_begin
    model.generation_config.forced_eos_token_id = end
    model.final_logits_bias.normal_(0, 0.5)
    model.final_logits_bias[0, 2] = 7
    return Pair(model, saved(model, tokenizer, folder))


def bart_forced(folder: Path) -> Pair:
    return bart(folder, forced_begin=0, end=None)


def mbart(folder: Path) -> Pair:
    tokenizer = unigram(FAIRSEQ)
    tokenizer.add_special_tokens(["en_XX", "fr_XX", "ro_RO", "<mask>"])
    config = transformers.MBartConfig(
        vocab_size=tokenizer.get_vocab_size(), decoder_start_token_id=2, scale_embedding=True,
        **SMALL,
    )  # fmt: skip
    model = randomized(transformers.MBartForConditionalGeneration(config))
    model.generation_config.forced_bos_token_id = tokenizer.token_to_id("fr_XX")
    model.final_logits_bias[0, 2] = 7
    return Pair(model, saved(model, tokenizer, folder), source_language="en_XX")


def mbart_25(folder: Path) -> Pair:
    tokenizer = unigram(FAIRSEQ)
    tokenizer.add_special_tokens(["en_XX", "fr_XX", "ro_RO", "<mask>"])
    config = transformers.MBartConfig(
        vocab_size=tokenizer.get_vocab_size(), scale_embedding=True, forced_eos_token_id=2,
        decoder_start_token_id=tokenizer.token_to_id("ro_RO"), **SMALL,
    )  # fmt: skip
    model = randomized(transformers.MBartForConditionalGeneration(config))
    model.final_logits_bias[0, 2] = 5
    return Pair(model, saved(model, tokenizer, folder), source_language="en_XX")


def nllb(folder: Path) -> Pair:
    tokenizer = unigram(FAIRSEQ)
    tokenizer.add_special_tokens(["eng_Latn", "fra_Latn", "<mask>"])
    config = transformers.M2M100Config(
        vocab_size=tokenizer.get_vocab_size(), decoder_start_token_id=2, **SMALL
    )
    model = randomized(transformers.M2M100ForConditionalGeneration(config))
    model.generation_config.forced_bos_token_id = tokenizer.token_to_id("fra_Latn")
    return Pair(
        model,
        saved(model, tokenizer, folder),
        source_language="eng_Latn",
        target_language="fra_Latn",
    )


def m2m100(folder: Path) -> Pair:
    train_pieces(folder / "sentencepiece.bpe.model", "bpe")
    processor = sentencepiece.SentencePieceProcessor(
        model_file=str(folder / "sentencepiece.bpe.model")
    )
    pieces = [processor.id_to_piece(n) for n in range(3, processor.get_piece_size())]
    names = [*FAIRSEQ, *pieces[::-1]]  # in an order of their own
    write_json(folder / "vocab.json", {name: number for number, name in enumerate(names)})
    languages = ["__en__", "__fr__", "__de__"]
    write_json(folder / "special_tokens_map.json", {"additional_special_tokens": languages})
    config = transformers.M2M100Config(
        vocab_size=len(names) + len(languages) + 4, decoder_start_token_id=2, **SMALL
    )
    model = randomized(transformers.M2M100ForConditionalGeneration(config))
    model.generation_config.forced_bos_token_id = len(names) + 1
    saved(model, None, folder)
    return Pair(model, folder, source_language="en", target_language="fr")


def marian(folder: Path) -> Pair:
    vocabulary: set[str] = set()
    for name, size in (("source.spm", 50), ("target.spm", 60)):
        train_pieces(folder / name, size=size)
        processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / name))
        vocabulary |= {processor.id_to_piece(n) for n in range(3, processor.get_piece_size())}
    names = ["</s>", "<unk>", *sorted(vocabulary), ">>fra<<", "<pad>"]
    numbers = {name: number for number, name in enumerate(names)}
    write_json(folder / "vocab.json", numbers)
    config = transformers.MarianConfig(
        vocab_size=len(names), pad_token_id=numbers["<pad>"], eos_token_id=0,
        decoder_start_token_id=numbers["<pad>"], forced_eos_token_id=0, scale_embedding=True,
        activation_function="swish", bad_words_ids=[[numbers["<pad>"]]], **SMALL,
    )  # fmt: skip
    model = randomized(transformers.MarianMTModel(config))
    model.final_logits_bias.normal_(0, 0.5)
    model.final_logits_bias[0, 0] = 7
    return Pair(model, saved(model, None, folder))


def pegasus(folder: Path) -> Pair:
    tokenizer = unigram(["<pad>", "</s>", "<unk>"])
    config = transformers.PegasusConfig(
        vocab_size=tokenizer.get_vocab_size(), pad_token_id=0, eos_token_id=1,
        decoder_start_token_id=0, scale_embedding=True, activation_function="relu", **SMALL,
    )  # fmt: skip
    model = randomized(transformers.PegasusForConditionalGeneration(config))
    return Pair(model, saved(model, tokenizer, folder))


FAMILIES: dict[str, Callable[[Path], Pair]] = {
    "t5": t5,
    "t5 1.1": t5_gated,
    "byt5": byt5,
    "bart": bart,
    "bart, forced begin": bart_forced,
    "mbart-50": mbart,
    "mbart-25": mbart_25,
    "nllb": nllb,
    "m2m-100": m2m100,
    "marian": marian,
    "pegasus": pegasus,
}
