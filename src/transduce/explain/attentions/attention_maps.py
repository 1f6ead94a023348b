"""What the attentions of a model look at while it runs, layer by layer and head by head."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from transduce.errors import ModelError
from transduce.explain.asking.subject import Subject
from transduce.interfaces import Source
from transduce.models.recurrent import RecurrentDecoder
from transduce.models.seq2seq import Seq2Seq
from transduce.models.transformer import TransformerDecoder, TransformerEncoder
from transduce.modules.attention_scores import MultiHead
from transduce.modules.frontends.patches import PatchFrontend
from transduce.modules.transformer import DecoderLayer

__all__ = ["Looks", "listen", "on_units", "over_memory", "recorded"]


@dataclass(frozen=True)
class Looks:
    """Weights of one source and target, a tensor for each layer, from the lowest on.

    ``encoder`` float64 ``[H, S, S]`` and ``own`` ``[H, T, T]`` are self-attention, empty where
    there is none; ``cross`` ``[H, T, S]`` is what the decoder looks at in the memory.
    """

    encoder: tuple[Tensor, ...]
    own: tuple[Tensor, ...]
    cross: tuple[Tensor, ...]


def listen(subject: Subject, tokens: Tensor) -> Looks:
    """The weights while the decoder reads ``tokens`` (int64 ``[1, T]``).

    Raises ModelError where the decoder has no attention.
    """
    model = subject.modules
    encoder = [layer.attention.dropout for layer in _encoder_layers(model)]
    own = [
        layer.attention.dropout
        for layer in _decoder_layers(model)
        if isinstance(layer, DecoderLayer)
    ]
    cross = over_memory(model)
    with recorded([*encoder, *own, *cross]) as found, torch.no_grad():
        run(model, subject.source, tokens)
    joined = [torch.cat(calls, dim=-2).double().cpu() for calls in found]
    ends = len(encoder), len(encoder) + len(own)
    block = model.encoder.global_block if isinstance(model.encoder, TransformerEncoder) else None
    if block is not None:
        joined[: ends[0]] = [_on_positions(weights, block) for weights in joined[: ends[0]]]
    return Looks(
        tuple(joined[: ends[0]]), tuple(joined[ends[0] : ends[1]]), tuple(joined[ends[1] :])
    )


def _on_positions(weights: Tensor, block: int) -> Tensor:
    """``[H, S, S + M]`` to ``[H, S, S]``: positions share the weight of their block's summary."""
    S = weights.shape[1]
    sizes = torch.full((weights.shape[2] - S,), float(block), dtype=weights.dtype)
    sizes[-1] = S - block * (len(sizes) - 1)
    each = (weights[:, :, S:] / sizes).repeat_interleave(block, 2)  # [H, S, M·block]
    return weights[:, :, :S] + each[:, :, :S]


def run(model: Seq2Seq, source: Source, tokens: Tensor) -> None:
    """Encode and read the tokens; what comes out is not looked at."""
    embedded = model.target_embedding(tokens)
    with _whole_weights(model):
        memory = model.encoder(*model.enter(source))
    model.decoder.step(embedded, model.decoder.start(memory))


@contextmanager
def _whole_weights(model: Seq2Seq) -> Iterator[None]:
    """Local and linear attention by way of weights ``[S, S]``, zero beyond a window."""
    encoder = model.encoder
    if not isinstance(encoder, TransformerEncoder):
        yield
        return
    encoder.whole_weights, before = True, encoder.whole_weights
    try:
        yield
    finally:
        encoder.whole_weights = before


def over_memory(model: Seq2Seq) -> list[nn.Module]:
    """The modules that give the weights over the memory, one a layer. Raises ModelError."""
    decoder = model.decoder
    if isinstance(decoder, RecurrentDecoder) and decoder.attention is not None:
        attention: Any = decoder.attention
        heads = attention.heads.dropout if isinstance(attention, MultiHead) else attention
        return [heads]
    layers = _decoder_layers(model)
    if not layers:
        raise ModelError(
            "method must be saliency, input-x-gradient, integrated-gradients, smoothgrad, "
            "gradient-shap, occlusion, lime or kernel-shap for a decoder with attention: none; "
            "got one that looks at its attention"
        )
    return [layer.memory_attention.dropout for layer in layers]


def _encoder_layers(model: Seq2Seq) -> list[Any]:
    encoder = model.encoder
    return list(encoder.layers) if isinstance(encoder, TransformerEncoder) else []


def _decoder_layers(model: Seq2Seq) -> list[Any]:
    decoder = model.decoder
    return list(decoder.layers) if isinstance(decoder, TransformerDecoder) else []


@contextmanager
def recorded(modules: Sequence[nn.Module]) -> Iterator[list[list[Tensor]]]:
    """The weights ``[H, T, S]`` of each call of each module, B being 1."""
    found: list[list[Tensor]] = [[] for _ in modules]

    def keeper(place: int) -> Callable[..., None]:
        def keep(_: nn.Module, given: tuple[Any, ...], gave: Any) -> None:
            # A recurrent decoder's attention gives contexts and weights, [1, T, S].
            found[place].append(gave[1] if isinstance(gave, tuple) else given[0][0])

        return keep

    handles = [module.register_forward_hook(keeper(n)) for n, module in enumerate(modules)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def on_units(subject: Subject, weights: Tensor) -> Tensor:
    """Weights over the memory ``[Q, S']`` on the source's units, ``[Q, U]``.

    What a frontend made one vector of shares its weight evenly.
    """
    if subject.modules.frontend is None:
        return subject.units.sums(weights[:, :, None])
    place = _memory_places(subject, weights.shape[1])
    sizes = torch.bincount(place.flatten(), minlength=weights.shape[1]).clamp_min(1)
    return subject.units.sums((weights / sizes)[:, place])


def _memory_places(subject: Subject, count: int) -> Tensor:
    """Which of ``count`` vectors of the memory each number of the frames went into ``[S, F]``."""
    frontend = subject.modules.frontend
    S, F = subject.source.frames.shape[1:]
    columns = torch.arange(S)
    if isinstance(frontend, PatchFrontend):
        height = F // frontend.channels
        down = torch.arange(F) % height // frontend.patch_height
        return (columns // frontend.patch_width)[:, None] * frontend.rows + down
    each = -(-S // count)
    return (columns // each)[:, None].expand(S, F)
