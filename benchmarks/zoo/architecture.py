"""A model's architecture in a few words, for tables."""

from __future__ import annotations

from transduce.config import Config, RecurrentDecoderConfig

__all__ = ["architecture"]

_NAMES = {
    "transformer": "Transformer",
    "ssru": "SSRU",
    "mingru": "minGRU",
    "mamba": "Mamba",
    "rnn": "RNN",
}
_FRONTENDS = {
    "convolution2d": "2-D convolutions, ",
    "convolution": "convolutions, ",
    "patches": "patches, ",
    "subsampling": "subsampling, ",
    "linear": "linear frames, ",
}


def architecture(config: Config) -> str:
    """For example ``bi-LSTM 2×256 → LSTM 256, general, copying``."""
    model = config.model
    encoder, decoder = model.encoder, model.decoder
    first = _stack(encoder.kind, encoder.layers, encoder.width)
    second = _stack(decoder.kind, decoder.layers, decoder.width)
    if getattr(encoder, "bidirectional", False):
        first = f"bi-{first}"
    words = [_FRONTENDS.get(model.frontend.kind, "")]
    words.append(first if first == second else f"{first} → {second}")
    if isinstance(decoder, RecurrentDecoderConfig):
        fed = " with input feeding" if decoder.input_feeding else ""
        words.append(f", {decoder.attention}{fed}")
    if model.copy_source:
        words.append(", copying")
    if model.ctc:
        more = model.ctc_positions
        words.append(", CTC" if more == 1 else f", CTC with {more} places for each symbol")
    if config.target_tokenizer.right_to_left:
        words.append(", right to left")
    return "".join(words)


def _stack(kind: str, layers: int, width: int) -> str:
    name = _NAMES.get(kind, kind.upper())
    return f"{name} {layers}×{width}" if layers > 1 else f"{name} {width}"
