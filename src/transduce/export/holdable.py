"""What an export needs, asked before any work is done."""

from __future__ import annotations

from transduce.config import Config, ModelConfig, TransformerDecoderConfig, TransformerEncoderConfig
from transduce.errors import ConfigError, ModelError

__all__ = [
    "LONGEST",
    "require_library",
    "require_own_tokenizers",
    "require_quantization",
    "require_transformers",
]

LONGEST = 4096  # positions written out where the model itself has no last one

# What CTranslate2 stores weights as; a processor that lacks a type takes the next best.
_QUANTIZATIONS = (
    "float32",
    "float16",
    "bfloat16",
    "int16",
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
)


def require_library() -> None:
    """Raise ConfigError where the package ctranslate2 is not installed."""
    try:
        import ctranslate2  # noqa: F401 (an extra)
    except ImportError:
        raise ConfigError(
            "the format ctranslate2 needs the package of this name; "
            "install it with: pip install 'transduce[ctranslate2]'"
        ) from None


def require_quantization(name: str) -> None:
    """Raise ConfigError for a type that CTranslate2 does not store weights as."""
    if name not in _QUANTIZATIONS:
        raise ConfigError(
            f"--quantization must be one of {', '.join(_QUANTIZATIONS)}; got {name!r}"
        )


def require_own_tokenizers(config: Config) -> None:
    """Raise ModelError where a side has a published tokenizer: the exported model's vocabulary
    would not be what that tokenizer gives.
    """
    if "imported" in (config.tokenizer.source.kind, config.target_kind):
        raise ModelError(
            "tokenizer must be one of our own for ctranslate2; got a published model's "
            "(imported), which ctranslate2's own converters read"
        )


def require_transformers(
    config: ModelConfig,
) -> tuple[TransformerEncoderConfig, TransformerDecoderConfig]:
    """The options of both stacks. Raises ModelError naming the first key that does not fit."""
    encoder, decoder = config.encoder, config.decoder
    if not isinstance(encoder, TransformerEncoderConfig):
        raise _unfit("model.encoder.kind", "transformer", encoder.kind)
    if not isinstance(decoder, TransformerDecoderConfig):
        raise _unfit("model.decoder.kind", "transformer", decoder.kind)
    if encoder.attention != "softmax":
        raise _unfit("model.encoder.attention", "softmax", encoder.attention)
    if encoder.window is not None:
        raise _unfit("model.encoder.window", "none", str(encoder.window))
    if config.frontend.kind != "embedding":
        raise _unfit("model.frontend.kind", "embedding", config.frontend.kind)
    if config.copy_source:
        raise _unfit("model.copy", "false", "true")
    for side, stack in (("encoder", encoder), ("decoder", decoder)):
        if isinstance(stack.heads, tuple):
            raise _unfit(f"model.{side}.heads", "as many in all layers", str([*stack.heads]))
        if stack.head_width not in (None, stack.width // stack.heads):
            raise _unfit(f"model.{side}.head_width", "width / heads", str(stack.head_width))
    own = decoder.memory_heads
    if own not in (None, decoder.heads):
        got = str([*own] if isinstance(own, tuple) else own)
        raise _unfit("model.decoder.memory_heads", "as many as heads", got)
    if encoder.norm_epsilon != decoder.norm_epsilon:
        raise _unfit("model.decoder.norm_epsilon", "the encoder's", str(decoder.norm_epsilon))
    return encoder, decoder


def _unfit(key: str, wanted: str, got: str) -> ModelError:
    return ModelError(f"{key} must be {wanted} for ctranslate2; got {got}")
