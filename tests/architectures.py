"""Small models of every kind, for the tests that hold for all of them.

A new architecture gets one more line in ``ARCHITECTURES`` and no test of its own here.
"""

from __future__ import annotations

import torch

from transduce.config import ModelConfig
from transduce.interfaces import BEGIN, END, Source
from transduce.models.build import build_model
from transduce.models.joined_encoder import JoinedEncoder
from transduce.models.seq2seq import Seq2Seq

__all__ = [
    "ARCHITECTURES",
    "FRAMES",
    "OVER_FRAMES",
    "SYMBOLS",
    "WITH_ATTENTION",
    "make_model",
    "make_source",
    "make_source_for",
    "make_target",
    "sentences",
]

SYMBOLS = 14  # the four special ones and ten others
FIRST = END + 1


def _recurrent(kind: str, *, encoder: dict | None = None, **decoder) -> dict:
    return {
        "encoder": {"kind": kind, "width": 16, "dropout": 0.0, **(encoder or {})},
        "decoder": {"kind": kind, "width": 16, "dropout": 0.0, **decoder},
    }


def _transformer(*, model: dict | None = None, **options) -> dict:
    stack = {
        "kind": "transformer",
        "layers": 2,
        "width": 16,
        "feedforward": 24,
        "heads": 4,
        "max_positions": 64,
        "dropout": 0.0,
        **options,
    }
    return {"encoder": stack, "decoder": stack, **(model or {})}


def _ssru(*, model: dict | None = None, encoder: dict | None = None, **options) -> dict:
    """A Transformer's encoder, or another, before a decoder of simple recurrent units."""
    stacks = _transformer(**options)
    decoder = {**stacks["decoder"], "kind": "ssru"}
    return {"encoder": encoder or stacks["encoder"], "decoder": decoder, **(model or {})}


def _mingru(*, model: dict | None = None, **options) -> dict:
    """Minimal gated units on both sides."""
    encoder = {"kind": "mingru", "layers": 2, "width": 16, "feedforward": 24, "dropout": 0.0}
    decoder = {"kind": "mingru", "heads": 4, "positions": "none", **encoder, **options}
    return {"encoder": {**encoder, **options}, "decoder": decoder, **(model or {})}


def _mamba(*, model: dict | None = None, decoder: dict | None = None, **options) -> dict:
    """Selective state spaces before a Transformer's decoder, or another."""
    encoder = {"kind": "mamba", "layers": 2, "width": 16, "feedforward": 24, "state_width": 5}
    decoder = decoder or _transformer()["decoder"]
    encoder = {**encoder, "dropout": 0.0, **options}
    return {"encoder": encoder, "decoder": decoder, **(model or {})}


def _mixed(encoder: dict, decoder: dict, **model) -> dict:
    return {"encoder": encoder["encoder"], "decoder": decoder["decoder"], **model}


_NO_FEEDFORWARD = _ssru()
_NO_FEEDFORWARD["decoder"] |= {"feedforward": 0, "layers": 1}


def _unequal(model: dict, **decoder) -> dict:
    return {**model, "decoder": {**model["decoder"], **decoder}}


ARCHITECTURES = {
    # every recurrent kind and every attention
    "rnn-none": _recurrent("rnn", attention="none"),
    "lstm-none": _recurrent("lstm", attention="none"),
    "gru-none": _recurrent("gru", attention="none"),
    "rnn-dot": _recurrent("rnn", attention="dot"),
    "lstm-dot": _recurrent("lstm", attention="dot"),
    "gru-general": _recurrent("gru", attention="general"),
    "lstm-additive": _recurrent("lstm", attention="additive"),
    "gru-cosine": _recurrent("gru", attention="cosine"),
    "lstm-multihead": _recurrent("lstm", attention="multihead"),
    "rnn-additive": _recurrent("rnn", attention="additive"),
    # their options
    "gru-feeding": _recurrent("gru", attention="general", input_feeding=True),
    "lstm-feeding": _recurrent("lstm", attention="dot", input_feeding=True, layers=2),
    "rnn-feeding": _recurrent("rnn", attention="multihead", input_feeding=True),
    "lstm-deep": _recurrent(
        "lstm", encoder={"layers": 2, "bidirectional": False}, layers=3, bridge="dense"
    ),
    "gru-bridge-copy": _recurrent("gru", encoder={"layers": 2}, layers=2, bridge="copy"),
    "gru-bridge-zero": _recurrent("gru", bridge="zero"),
    "gru-narrow-memory": _recurrent("gru", encoder={"width": 10}, attention="dot"),
    "lstm-tied": {**_recurrent("lstm"), "tie": "all"},
    "gru-narrow-embedding": {**_recurrent("gru"), "embedding_width": 6, "tie": "target"},
    "lstm-copy": {**_recurrent("lstm", attention="additive"), "copy": True},
    "gru-copy-feeding": {**_recurrent("gru", input_feeding=True), "copy": True},
    # the Transformer's
    "transformer": _transformer(),
    "transformer-post": _transformer(norm_position="post"),
    "transformer-post-rms": _transformer(norm_position="post", norm="rms"),
    "transformer-learned": _transformer(positions="learned", activation="gelu"),
    "transformer-rotary": _transformer(positions="rotary", norm="rms", activation="swiglu"),
    "transformer-relative": _transformer(positions="relative", bias=False),
    "transformer-none": _transformer(positions="none"),
    "transformer-grouped": _transformer(key_value_heads=2),
    "transformer-one-key": _transformer(key_value_heads=1, positions="rotary", bias=False),
    "transformer-copy": _transformer(model={"copy": True}),
    "transformer-tied": _transformer(model={"tie": "all"}),
    "transformer-narrow": _transformer(model={"embedding_width": 6, "tie": "target"}),
    # what published checkpoints are made of
    "transformer-t5": _transformer(
        positions="relative", norm="rms", bias=False, activation="geglu", head_width=6
    ),
    "transformer-bart": _transformer(
        model={"scale_embeddings": False},
        positions="learned",
        norm_position="post",
        norm_epsilon=1e-5,
        embedding_norm=True,
        activation="gelu-tanh",
    ),
    "transformer-marian": _transformer(norm_position="post", activation="silu", head_width=3),
    "transformer-fairseq": _transformer(positions="fairseq"),
    # local attention in the encoder
    "transformer-window": _mixed(_transformer(window=2), _transformer()),
    "transformer-window-relative": _mixed(
        _transformer(window=1, positions="relative", key_value_heads=2, bias=False),
        _transformer(positions="relative"),
        copy=True,
    ),
    "transformer-window-to-gru": _mixed(
        _transformer(window=3, positions="rotary", norm_position="post"), _recurrent("gru")
    ),
    # and summaries of blocks
    "transformer-linear": _mixed(_transformer(attention="linear"), _transformer()),
    "transformer-linear-post": _mixed(
        _transformer(
            attention="linear",
            positions="learned",
            key_value_heads=2,
            norm_position="post",
            head_width=3,
        ),
        _recurrent("gru"),
    ),
    "transformer-global": _mixed(_transformer(window=1, global_block=2), _transformer()),
    "transformer-global-relative-post": _mixed(
        _transformer(
            window=2,
            global_block=3,
            positions="relative",
            norm="rms",
            norm_position="post",
            key_value_heads=2,
            bias=False,
        ),
        _recurrent("gru"),
    ),
    # simple recurrent units in the place of a decoder's self-attention
    "ssru": _ssru(),
    "ssru-post-rms": _ssru(norm_position="post", norm="rms", activation="swiglu", bias=False),
    "ssru-copy": _ssru(positions="learned", key_value_heads=2, model={"copy": True}),
    "ssru-no-feedforward": _NO_FEEDFORWARD,
    "lstm-to-ssru": _ssru(
        encoder=_recurrent("lstm")["encoder"], positions="none", model={"tie": "target"}
    ),
    # minimal gated units
    "mingru": _mingru(model={"tie": "all"}),
    "mingru-post-rms": _mingru(norm_position="post", norm="rms", activation="geglu", bias=False),
    "mingru-copy-transformer": _mixed(
        _mingru(width=18, feedforward=[12, 30]),
        _transformer(positions="rotary"),
        copy=True,
    ),
    "mamba": _mamba(model={"tie": "all"}),
    "mamba-post-rms-mingru": _mamba(
        norm_position="post",
        norm="rms",
        activation="geglu",
        bias=False,
        expand=1,
        decoder=_mingru()["decoder"],
    ),
    "mamba-alone-to-lstm": _mamba(  # no feed-forward blocks
        feedforward=0,
        width=38,
        expand=3,
        state_width=17,
        decoder=_recurrent("lstm", attention="additive")["decoder"],
        model={"embedding_width": 16},
    ),
    "mingru-to-lstm": _mixed(
        _mingru(width=38), _recurrent("lstm", attention="additive"), embedding_width=16
    ),
    # layers that are not alike, as pruning leaves them
    "transformer-unequal": _unequal(
        _transformer(heads=[4, 1], head_width=4, feedforward=[24, 9], model={"tie": "all"}),
        memory_heads=[2, 3],
    ),
    "transformer-unequal-grouped": _unequal(
        _transformer(
            heads=[2, 4],
            key_value_heads=[1, 2],
            head_width=6,
            feedforward=[12, 36],
            activation="swiglu",
            positions="rotary",
            norm_position="post",
        ),
        memory_heads=[6, 2],
    ),
    # encoders and decoders of different kinds
    "transformer-to-gru": _mixed(_transformer(), _recurrent("gru")),
    "transformer-to-lstm-none": _mixed(_transformer(), _recurrent("lstm", attention="none")),
    "lstm-to-transformer": _mixed(
        _recurrent("lstm", encoder={"width": 20}), _transformer(), copy=True
    ),
    "gru-to-rnn": _mixed(_recurrent("gru"), _recurrent("rnn", attention="general")),
    "rnn-to-transformer-rotary": _mixed(_recurrent("rnn"), _transformer(positions="rotary")),
}

WITH_ATTENTION = [
    name
    for name, model in ARCHITECTURES.items()
    if model["decoder"].get("attention", "some") != "none"
]


# the same encoders and decoders behind frontends, over frames
FRAMES = 6  # numbers of a frame
OVER_FRAMES = {
    "linear-gru": {**_recurrent("gru"), "frontend": {"kind": "linear"}},
    "linear-transformer": _transformer(model={"frontend": {"kind": "linear"}}),
    "convolution-transformer": _transformer(
        activation="gelu", model={"frontend": {"kind": "convolution"}}
    ),
    "convolution-narrow": _transformer(
        positions="learned",
        model={
            "frontend": {"kind": "convolution", "strides": [3, 1, 2], "kernel": 5},
            "embedding_width": 10,
        },
    ),
    "convolution-lstm-feeding": {
        **_recurrent("lstm", attention="dot", input_feeding=True),
        "frontend": {"kind": "convolution", "strides": [2, 2], "kernel": 1},
    },
    "subsampling-rnn-none": {
        **_recurrent("rnn", attention="none"),
        "frontend": {"kind": "subsampling", "channels": 3, "layers": 1},
    },
    "subsampling-gru": {
        **_recurrent("gru", encoder={"layers": 2}, attention="additive"),
        "frontend": {"kind": "subsampling", "channels": 4},
    },
    "subsampling-transformer-rotary": _transformer(
        positions="rotary", model={"frontend": {"kind": "subsampling", "channels": 4}}
    ),
    "linear-window": _mixed(  # long enough for blocks
        _transformer(window=2, positions="relative", key_value_heads=1),
        _recurrent("gru"),
        frontend={"kind": "linear"},
    ),
    "linear-global": _mixed(
        _transformer(window=5, global_block=4, positions="none"),
        _transformer(),
        frontend={"kind": "linear"},
    ),
    "linear-attention": _mixed(
        _transformer(attention="linear", positions="none", bias=False, key_value_heads=1),
        _recurrent("lstm"),
        frontend={"kind": "linear"},
    ),
    "linear-window-rotary": _mixed(
        _transformer(window=5, positions="rotary"), _transformer(), frontend={"kind": "linear"}
    ),
    "linear-ssru": _ssru(model={"frontend": {"kind": "linear"}}),
    "linear-mingru": _mingru(model={"frontend": {"kind": "linear"}}),
    "linear-mamba": _mamba(model={"frontend": {"kind": "linear"}}, feedforward=[12, 30]),
    "linear-lstm-ctc": {**_recurrent("lstm"), "frontend": {"kind": "linear"}, "ctc": True},
    "subsampling-to-gru": _mixed(
        _transformer(positions="relative"),
        _recurrent("gru"),
        frontend={"kind": "subsampling", "channels": 4},
    ),
    # over pictures, six pixels high
    "patches-gru": {
        **_recurrent("gru"),
        "frontend": {"kind": "patches", "patch_height": 3, "patch_width": 4},
    },
    "patches-transformer": _transformer(
        positions="none",
        model={"frontend": {"kind": "patches", "patch_height": 2, "patch_width": 3}},
    ),
    "convolution2d-gru": {
        **_recurrent("gru", attention="additive"),
        "frontend": {"kind": "convolution2d", "channels": [4, 5], "strides": [[2, 2], [2, 3]]},
    },
    "convolution2d-transformer": _transformer(
        model={"frontend": {"kind": "convolution2d", "channels": [4], "strides": [[3, 1]]}},
    ),
    # a text beside the frames
    "joined-gru": {
        **_recurrent("gru", encoder={"layers": 2}, layers=2),
        "frontend": {"kind": "linear"},
        "beside": {"encoder": {"kind": "lstm", "width": 10, "dropout": 0.0}},
    },
    "joined-transformer": _transformer(
        model={
            "frontend": {"kind": "patches", "patch_height": 3, "patch_width": 4},
            "beside": {"encoder": _transformer()["encoder"]},
        },
    ),
}
ARCHITECTURES |= OVER_FRAMES
WITH_ATTENTION += [name for name in OVER_FRAMES if not name.endswith("none")]


def make_model(architecture: dict, *, seed: int = 1) -> Seq2Seq:
    """A model in evaluation mode with weights that hang on the seed alone."""
    config = ModelConfig.model_validate(architecture)
    copy_map = None
    if config.copy_source:
        # Source symbols stand for others in the target's vocabulary, one of them for none.
        copy_map = torch.arange(SYMBOLS)
        copy_map[FIRST:-1] = copy_map[FIRST:-1].flip(0)
        copy_map[-1] = 1
    torch.manual_seed(seed)
    size = SYMBOLS if config.frontend.kind == "embedding" else FRAMES
    second = None if config.beside is None else SYMBOLS
    return build_model(config, size, SYMBOLS, copy_map, beside_size=second).eval()


def make_source_for(model: Seq2Seq, rows: list[list[int]], width: int | None = None) -> Source:
    """The rows as tokens, or as frames where the model reads these.

    Each symbol, END among them, makes five frames that hang on it alone. Where the model reads two
    inputs, the second are the first symbols of the rows, as tokens.
    """
    source = make_source(rows, width)
    if model.frontend is None:
        return source
    table = torch.randn(SYMBOLS, 5, FRAMES, generator=torch.Generator().manual_seed(7))
    frames = table[source.tokens].flatten(1, 2)
    lengths = source.lengths * 5
    masked = frames * (torch.arange(frames.shape[1]) < lengths[:, None])[:, :, None]
    joins = isinstance(model.encoder, JoinedEncoder)
    beside = make_source([row[: 1 + len(row) // 2] for row in rows], width) if joins else None
    return Source(masked.to(model.output.weight.dtype), lengths, beside=beside)


def make_source(rows: list[list[int]], width: int | None = None) -> Source:
    """Pad, to ``width`` columns where the longest has fewer."""
    ended = [[*row, END] for row in rows]
    width = max(width or 0, *(len(row) for row in ended))
    tokens = torch.tensor([row + [0] * (width - len(row)) for row in ended])
    return Source(tokens, torch.tensor([len(row) for row in ended]))


def sentences(*lengths: int, seed: int = 0) -> list[list[int]]:
    """Random rows of ordinary symbols."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randint(FIRST, SYMBOLS, (length,), generator=generator).tolist() for length in lengths
    ]


def make_target(rows: list[list[int]]) -> torch.Tensor:
    """What the decoder reads, padded: BEGIN and the row."""
    width = 1 + max(len(row) for row in rows)
    return torch.tensor([[BEGIN, *row] + [0] * (width - 1 - len(row)) for row in rows])
