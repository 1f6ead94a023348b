"""Hugging Face transformers as the benchmarks see it: our weights in Marian or Pegasus.

Both are the Transformer of Vaswani et al. 2017, Marian with post-norm, Pegasus with
pre-norm. Their epsilon of norms and their order of sinusoids are others than ours; both are
set to ours after loading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what loads here counts as the peer's start-up time
    from torch import Tensor, nn

    from transduce.config import ModelConfig
    from transduce.models.seq2seq import Seq2Seq
    from transduce.modules.attention import MultiHeadAttention

__all__ = ["HuggingFace", "unfit", "write"]

_PADDING, _BEGIN, _END = 0, 2, 3
_NEVER = [0, 1, 2]  # symbols that our search never writes
_IMPOSSIBLE = -1e4  # as a logit
_POSITIONS = 256  # tokens at most
_TABLES = "positions.safetensors"
_EPSILON = 1e-6


def unfit(config: ModelConfig) -> str | None:
    """Why neither can hold the model; None where one can."""
    from importlib.util import find_spec

    if find_spec("transformers") is None:
        return "the package transformers is not installed"
    encoder, decoder = config.encoder, config.decoder
    if encoder.kind != "transformer" or decoder.kind != "transformer":
        return "model.encoder.kind and model.decoder.kind must be transformer"
    wanted: dict[str, tuple[object, ...]] = {
        "key_value_heads": (None, encoder.heads),
        "norm": ("layer",),
        "norm_position": (encoder.norm_position,),
        "activation": ("relu", "gelu"),
        "positions": ("sinusoidal", "learned"),
        "bias": (True,),
        "width": (encoder.width,),
    }
    for name, stack in (("encoder", encoder), ("decoder", decoder)):
        for option, values in wanted.items():
            if (got := getattr(stack, option)) not in values:
                return f"model.{name}.{option} must be one of {values}; got {got}"
    if decoder.activation != encoder.activation:
        return "model.decoder.activation must be that of the encoder"
    if encoder.norm_position == "pre" and config.tie != "all":
        return f"model.tie must be all with model.encoder.norm_position pre; got {config.tie}"
    if config.copy_source:
        return "model.copy must be false"
    if config.embedding_width not in (None, encoder.width):
        return "model.embedding_width must be the width of encoder and decoder"
    return None


# ---------------------------------------------------------------- writing


def write(model: Seq2Seq, config: ModelConfig, folder: Path) -> None:
    """What ``from_pretrained`` reads, and the positions beside it."""
    from safetensors.torch import save_file

    both = (model.source_embedding, model.target_embedding)
    peer = _fresh(config, (len(both[0].weight), len(both[1].weight)))
    weights = {name: tensor.detach() for name, tensor in _weights(model)}
    weights["final_logits_bias"] = model.output.bias.detach().clone()[None]
    weights["final_logits_bias"][:, _NEVER] = _IMPOSSIBLE
    known = peer.state_dict().keys()
    missing, _ = peer.load_state_dict(
        {k: v for k, v in weights.items() if k in known}, strict=False
    )
    if lost := [name for name in missing if not name.endswith("embed_positions.weight")]:
        raise RuntimeError(f"weights must be all that the peer has; got none for {lost}")
    peer.save_pretrained(folder)
    stacks = (("encoder", model.encoder), ("decoder", model.decoder))
    save_file({name: _table(stack) for name, stack in stacks}, folder / _TABLES)


def _fresh(config: ModelConfig, sizes: tuple[int, int]) -> Any:
    import transformers

    encoder, decoder = config.encoder, config.decoder
    if encoder.kind != "transformer" or decoder.kind != "transformer":
        raise TypeError("config must be one that fits")
    options = {
        "vocab_size": sizes[1],
        "d_model": encoder.width,
        "encoder_layers": encoder.layers,
        "decoder_layers": decoder.layers,
        "encoder_attention_heads": encoder.heads,
        "decoder_attention_heads": decoder.heads,
        "encoder_ffn_dim": encoder.feedforward,
        "decoder_ffn_dim": decoder.feedforward,
        "activation_function": encoder.activation,
        "scale_embedding": True,
        "max_position_embeddings": _POSITIONS,
        "pad_token_id": _PADDING,
        "eos_token_id": _END,
        "decoder_start_token_id": _BEGIN,
        "forced_eos_token_id": None,
        "tie_word_embeddings": config.tie != "none",
    }
    if encoder.norm_position == "post":
        options["vocab_size"], options["decoder_vocab_size"] = sizes
        options["share_encoder_decoder_embeddings"] = config.tie == "all"
        return transformers.MarianMTModel(transformers.MarianConfig(**options)).eval()
    return transformers.PegasusForConditionalGeneration(
        transformers.PegasusConfig(**options)
    ).eval()


def _weights(model: Seq2Seq) -> Iterator[tuple[str, Tensor]]:
    yield "model.shared.weight", model.target_embedding.weight  # where all are tied
    yield "model.encoder.embed_tokens.weight", model.source_embedding.weight
    yield "model.decoder.embed_tokens.weight", model.target_embedding.weight
    yield "lm_head.weight", model.output.weight
    for side, stack in (("encoder", model.encoder), ("decoder", model.decoder)):
        layers: Any = getattr(stack, "layers")  # noqa: B009 (a Transformer, as unfit saw)
        for number, layer in enumerate(layers):
            at = f"model.{side}.layers.{number}"
            yield from _attention(f"{at}.self_attn", layer.attention)
            yield from _named(f"{at}.self_attn_layer_norm", layer.attention_residual.norm)
            if side == "decoder":
                yield from _attention(f"{at}.encoder_attn", layer.memory_attention)
                yield from _named(f"{at}.encoder_attn_layer_norm", layer.memory_residual.norm)
            yield from _named(f"{at}.fc1", layer.feedforward.inner)
            yield from _named(f"{at}.fc2", layer.feedforward.output)
            yield from _named(f"{at}.final_layer_norm", layer.feedforward_residual.norm)
        norm: Any = getattr(stack, "norm")  # noqa: B009
        yield from _named(f"model.{side}.layer_norm", norm)


def _attention(at: str, attention: MultiHeadAttention) -> Iterator[tuple[str, Tensor]]:
    yield from _named(f"{at}.q_proj", attention.query)
    yield from _named(f"{at}.k_proj", attention.key)
    yield f"{at}.k_proj.bias", attention.key.weight.new_zeros(len(attention.key.weight))
    yield from _named(f"{at}.v_proj", attention.value)
    yield from _named(f"{at}.out_proj", attention.output)


def _named(at: str, module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in module.named_parameters():
        yield f"{at}.{name}", parameter


def _table(stack: Any) -> Tensor:
    """What the stack adds to zeros: its positions ``[P, D]``."""
    import torch

    positions = stack.entry.positions
    count = min(_POSITIONS, getattr(positions, "weight", torch.empty(_POSITIONS)).shape[0])
    with torch.no_grad():
        table: Tensor = positions(torch.zeros(1, count, stack.width))[0]
    return torch.nn.functional.pad(table, (0, 0, 0, _POSITIONS - count)).contiguous()


# ---------------------------------------------------------------- decoding


class HuggingFace:
    """What :func:`write` wrote, ready for ``generate``, which has one padded batch at a time."""

    def __init__(self, folder: Path, dtype: str) -> None:
        import torch
        from safetensors.torch import load_file
        from transformers import AutoModelForSeq2SeqLM

        torch.set_grad_enabled(False)
        model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
        tables = load_file(folder / _TABLES)
        for name, stack in (("encoder", model.model.encoder), ("decoder", model.model.decoder)):
            stack.embed_positions.weight.copy_(tables[name])
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.eps = _EPSILON
        self.model = model

    def decode(
        self, sources: Sequence[Sequence[int]], beam: int, min_length: int, max_length: int
    ) -> list[list[int]]:
        """The best output of each source."""
        import torch

        longest = max(map(len, sources)) + 1
        rows = [[*source, _END, *[_PADDING] * (longest - len(source) - 1)] for source in sources]
        tokens = torch.tensor(rows)
        mask = torch.tensor(
            [[n <= len(source) for n in range(longest)] for source in sources], dtype=torch.int64
        )
        found = self.model.generate(
            tokens,
            attention_mask=mask,
            num_beams=beam,
            do_sample=False,
            min_new_tokens=min_length or None,
            max_new_tokens=max_length,
            length_penalty=1.0,
        )
        return [_written(row) for row in found[:, 1:].tolist()]


def _written(row: list[int]) -> list[int]:
    """The tokens before END or padding."""
    ends = [place for place, token in enumerate(row) if token in (_END, _PADDING)]
    return row[: ends[0]] if ends else row
