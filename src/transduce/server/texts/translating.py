"""Texts of any length through a model that reads sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from transduce.errors import SearchError
from transduce.server.exchange.endpoint import Exchange
from transduce.server.limits.request_errors import RequestError
from transduce.server.queue.requested import Requested
from transduce.server.shelf.loaded_model import LoadedModel
from transduce.server.texts.markup import escaped, markup_pieces
from transduce.server.texts.sentence_cuts import Piece, pieces
from transduce.workflow.predicting.output import Output

__all__ = ["Phrases", "Translated", "translate"]

# What the translation of a sentence must hold.
Phrases = Callable[[str], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Translated:
    """A text as the model has it, and as many other ways to say it as were asked for."""

    text: str
    alternatives: tuple[str, ...] = ()


async def translate(
    exchange: Exchange,
    model: LoadedModel,
    asked: Requested,
    texts: Sequence[Sequence[Piece] | str],
    *,
    sentences: bool = True,
    html: bool = False,
    phrases: Phrases | None = None,
) -> list[Translated]:
    """Each text in the model's words: sentence by sentence, all else as it stands.

    Texts come in pieces where somebody has cut them already; of ``html`` tags stay as they are.
    Raises RequestError where one cannot be answered.
    """
    asked = replace(asked, bare=True)
    cut = [_cut(t, sentences=sentences, html=html) if isinstance(t, str) else t for t in texts]
    sources = [piece.text for own in cut for piece in own if piece.is_sentence]
    outputs = iter(await _outputs(exchange, model, asked, sources, phrases))
    found = []
    for own in cut:
        answers = [next(outputs) if piece.is_sentence else None for piece in own]
        found.append(_joined(own, answers, asked.options.nbest, escaped if html else str))
    return found


async def _outputs(
    exchange: Exchange,
    model: LoadedModel,
    asked: Requested,
    sources: Sequence[str],
    phrases: Phrases | None,
) -> list[list[Output]]:
    """The outputs of each sentence; those that must hold phrases are asked for by themselves."""
    outputs = exchange.service.outputs
    if phrases is None:
        return await outputs(exchange, model, asked, sources)
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, source in enumerate(sources):
        groups.setdefault(phrases(source), []).append(place)
    found: dict[int, list[Output]] = {}
    for required, places in groups.items():
        own = [sources[place] for place in places]
        if required:
            try:
                options = asked.options.model_copy(update={"required": required})
                answers = await outputs(exchange, model, replace(asked, options=options), own)
            except SearchError:  # a term that the model has no symbols for
                answers = await outputs(exchange, model, asked, own)
        else:
            answers = await outputs(exchange, model, asked, own)
        found |= zip(places, answers, strict=True)
    return [found[place] for place in range(len(sources))]


def _cut(text: str, *, sentences: bool, html: bool) -> Sequence[Piece]:
    return markup_pieces(text) if html else pieces(text, sentences=sentences)


def _joined(
    own: Sequence[Piece],
    answers: Sequence[list[Output] | None],
    nbest: int,
    written: Callable[[str], str],
) -> Translated:
    for outputs in answers:
        if outputs is not None and outputs[0].error:
            raise RequestError(outputs[0].error)
    ways = []
    for rank in range(nbest):
        if rank and not any(a is not None and rank < len(a) for a in answers):
            break
        parts = [
            piece.text if a is None else written(a[rank if rank < len(a) else 0].text)
            for piece, a in zip(own, answers, strict=True)
        ]
        ways.append("".join(parts))
    return Translated(ways[0], tuple(dict.fromkeys(w for w in ways[1:] if w != ways[0])))
