"""Tiny random models that only transformers can run, as it saves them."""

from __future__ import annotations

from pathlib import Path

import transformers
from published import byte_level, randomized, saved, unigram, write_json
from tokenizers import Tokenizer, processors

GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}


def write_bert_to_gpt2(folder: Path) -> tuple[transformers.EncoderDecoderModel, Tokenizer]:
    """The network and the tokenizer of its sources; the decoder's is in ``decoder/``."""
    encoder, decoder = unigram(["[PAD]", "<unk>", "[CLS]", "[SEP]"]), byte_level(["<|endoftext|>"])
    encoder.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    bert = transformers.BertConfig(
        vocab_size=encoder.get_vocab_size(), hidden_size=32, num_hidden_layers=2,
        num_attention_heads=4, intermediate_size=40, max_position_embeddings=64,
    )  # fmt: skip
    gpt2 = transformers.GPT2Config(
        vocab_size=decoder.get_vocab_size(), bos_token_id=0, eos_token_id=0, **GPT2
    )
    config = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(bert, gpt2)
    config.decoder_start_token_id, config.eos_token_id, config.pad_token_id = 0, 0, 0
    model = randomized(transformers.EncoderDecoderModel(config=config), scale=0.2)
    model.generation_config = transformers.GenerationConfig(
        decoder_start_token_id=0, eos_token_id=0, pad_token_id=0
    )
    saved(model, encoder, folder)
    (folder / "decoder").mkdir()
    decoder.save(str(folder / "decoder" / "tokenizer.json"))
    return model, encoder


def write_trocr(folder: Path) -> transformers.VisionEncoderDecoderModel:
    """The network; its pictures are 32 by 32."""
    decoder = byte_level(["<s>", "<pad>", "</s>", "<unk>"])
    vit = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40,
        image_size=32, patch_size=8,
    )  # fmt: skip
    trocr = transformers.TrOCRConfig(
        vocab_size=decoder.get_vocab_size(), d_model=32, decoder_layers=2,
        decoder_attention_heads=4, decoder_ffn_dim=40, max_position_embeddings=64,
        cross_attention_hidden_size=32,
    )  # fmt: skip
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(vit, trocr)
    config.decoder_start_token_id, config.eos_token_id, config.pad_token_id = 2, 2, 1
    model = randomized(transformers.VisionEncoderDecoderModel(config=config), scale=0.2)
    model.generation_config = transformers.GenerationConfig(
        decoder_start_token_id=2, eos_token_id=2, pad_token_id=1
    )
    saved(model, decoder, folder)
    processor = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32},
                 "do_resize": True, "do_rescale": True, "do_normalize": True,
                 "image_mean": [0.5] * 3, "image_std": [0.5] * 3}  # fmt: skip
    write_json(folder / "preprocessor_config.json", processor)
    return model


def write_gpt2(folder: Path) -> tuple[transformers.GPT2LMHeadModel, Tokenizer]:
    """The network and its tokenizer."""
    tokenizer = byte_level(["<|endoftext|>"])
    config = transformers.GPT2Config(
        vocab_size=tokenizer.get_vocab_size(), bos_token_id=0, eos_token_id=0, **GPT2
    )
    model = randomized(transformers.GPT2LMHeadModel(config), scale=0.2)
    saved(model, tokenizer, folder)
    return model, tokenizer
