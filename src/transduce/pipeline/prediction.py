"""From texts to texts: encode, search, decode, for one model or for several as one."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch

from transduce.config import SearchConfig
from transduce.data.audio_reader import AudioReader
from transduce.data.audio_sound import HeardPart
from transduce.data.batching import prefetch
from transduce.data.frames import FrameReader, Frames, FrameSource
from transduce.data.joint import Coder
from transduce.data.parts import WHOLE, Part
from transduce.errors import DataError, ModelError, SearchError
from transduce.interfaces import BEGIN, END, Source, Stepper
from transduce.pipeline.timings import Word, timed_words
from transduce.search import Constraints, Hypothesis, decode_all, decode_parts

__all__ = ["Output", "Predictor"]


@dataclass(frozen=True)
class Output:
    """One hypothesis as a person reads it.

    ``score`` is what the search ranked by; ``log_probability`` (nats) and
    ``token_scores`` are the model's own, the last token score that of the end. ``words`` say
    when each word of a recording was said, where that was asked for; ``language`` is what the
    model guessed is spoken, where it does.
    """

    text: str
    tokens: tuple[str, ...]
    score: float
    log_probability: float
    token_scores: tuple[float, ...]
    finished: bool = True
    constraints_met: bool = True
    words: tuple[Word, ...] = ()
    language: str = ""


_FILES_AHEAD = 16  # read while others are decoded
_EMPTY = Output("", (), 0.0, 0.0, ())


@dataclass(frozen=True)
class Predictor:
    """A stepper between what reads sources and the target's tokenizer.

    Its models must be in evaluation mode.

    ``part`` of a mixture: whose tags stand in front of sources and begin outputs. The latter
    is among an output's tokens and scores, and not in its text.
    """

    stepper: Stepper[Any]
    source: Coder | FrameReader
    target_tokenizer: Coder
    device: torch.device
    part: Part = WHOLE
    timings: bool = False  # of the words of recordings

    def predict(
        self, sources: Iterable[FrameSource], options: SearchConfig, *, window: int = 4096
    ) -> Iterator[list[Output]]:
        """The n-best outputs of each source, in order, reading ``window`` sources ahead.

        A source is a text or, for models of recordings and pictures, a path or an array. An empty
        text has an empty output. Raises DataError for a file that cannot be read, SearchError
        where the options contradict each other or the tokenizer, before anything is decoded.
        """
        reader = self.source
        if self.timings:
            if not isinstance(reader, AudioReader):
                raise ModelError("timings must be asked of a model of recordings; got another")
            heard = map(reader.heard_parts, sources)
            return self._of_frames(heard, options, self._constraints(options), window)
        if isinstance(reader, FrameReader):
            return self.predict_frames(map(reader.parts, sources), options, window=window)
        texts = (_text(source) for source in sources)
        return self._of_texts(texts, reader, options, self._constraints(options), window)

    def predict_frames(
        self, sources: Iterable[list[Frames]], options: SearchConfig, *, window: int = 4096
    ) -> Iterator[list[Output]]:
        """The same for sources that are read already, each in the parts that its reader gives.

        Where there are several parts, only the best outputs are kept and joined.
        """
        parts = ([HeardPart(frames) for frames in source] for source in sources)
        return self._of_frames(parts, options, self._constraints(options), window)

    def _of_frames(
        self,
        sources: Iterator[list[HeardPart]],
        options: SearchConfig,
        constraints: Constraints | None,
        window: int,
    ) -> Iterator[list[Output]]:
        counts: deque[int] = deque()  # parts of each source that is read and not yet given
        waiting: deque[HeardPart] = deque()  # the parts, where attention will need them

        def read() -> Iterator[list[Frames]]:
            for source in prefetch(sources, _FILES_AHEAD) if window > 1 else sources:
                counts.append(len(source))
                if self.timings:
                    waiting.extend(source)
                yield [part.frames for part in source]

        found = decode_parts(
            self.stepper, read(), options, constraints, device=self.device, window=window
        )
        for first in found:
            count = counts.popleft()
            outputs, before = [], 0.0
            for hypotheses in (first, *itertools.islice(found, count - 1)):
                part = waiting.popleft() if self.timings else None
                outputs.append([self._output(h, part, before) for h in hypotheses])
                before += 0.0 if part is None else part.seconds(self._rate())
            yield _joined(outputs)

    def _of_texts(
        self,
        sources: Iterator[str],
        tokenizer: Coder,
        options: SearchConfig,
        constraints: Constraints | None,
        window: int,
    ) -> Iterator[list[Output]]:
        remaining, decoded_before = sources, 0
        while texts := list(itertools.islice(remaining, window)):
            full = [text for text in texts if text.strip()]
            decoded = decode_all(
                self.stepper,
                tokenizer.encode_batch([self.part.source(text) for text in full]),
                options,
                constraints,
                device=self.device,
                window=window,
                numbers=itertools.count(decoded_before),
            )
            decoded_before += len(full)
            for text in texts:
                yield [self._output(h) for h in next(decoded)] if text.strip() else [_EMPTY]

    def _constraints(self, options: SearchConfig) -> Constraints | None:
        first, begin = self.target_tokenizer.first, self._begin()
        banned, guessed = self.target_tokenizer.banned_first, self.target_tokenizer.first_of
        never = self.target_tokenizer.forbidden
        wanted = never or options.prefix or options.forbidden or options.required
        if not (first or banned or guessed or begin or wanted):
            return None
        if options.prefix and self.target_tokenizer.config.right_to_left:
            # The search would hold it to be the first tokens, which are the last of the text.
            raise SearchError(
                "search.prefix must be empty where the tokenizer of the target is right_to_left, "
                f"as outputs are then written from their end; got {options.prefix!r}"
            )
        encode = self.target_tokenizer.encode_phrase
        return Constraints(
            prefix=(*first, *begin, *encode(options.prefix or "")),
            free=len(first) + len(begin),
            banned_first=banned,
            first_of=tuple(guessed),
            forbidden=(*never, *(tuple(encode(phrase)) for phrase in options.forbidden)),
            required=tuple(tuple(encode(phrase)) for phrase in options.required),
        )

    def _begin(self) -> tuple[int, ...]:
        """What every output has to begin with: the tag of the part, where targets have it."""
        tag = self.part.target_tag
        return tuple(self.target_tokenizer.encode(tag)) if tag else ()

    def _unwritten(self) -> int:
        """How many of an output's first tokens are no text."""
        coder = self.target_tokenizer
        return bool(coder.first_of) + len(coder.first) + bool(self.part.target_tag)

    def _rate(self) -> float:
        """Frames a second."""
        rate = self.source.frames_a_second if isinstance(self.source, FrameReader) else None
        if rate is None:
            raise ModelError("timings must be asked of a model of recordings; got another")
        return rate

    def _words(self, hypothesis: Hypothesis, part: HeardPart, before: float) -> tuple[Word, ...]:
        """When each word was said, ``before`` being the seconds that came earlier.

        Attention to the silence that was put behind a recording does not count.
        """
        frames = part.frames
        source = Source.of_frames([frames], frames.shape[1]).to(self.device)
        read = [token for token in hypothesis.tokens if token != END]
        state = self.stepper.start(source, attention=True)
        tokens = torch.tensor([[BEGIN, *read]], device=self.device)
        weights = self.stepper.step(tokens, state)[1].attention
        if weights is None:
            raise ModelError("timings must be asked of a model with attention; got another")
        skipped = self._unwritten()
        scale = len(frames) / self._rate() / weights.shape[2]  # seconds of a position
        positions = max(1, math.ceil(round(part.seconds(self._rate()) / scale, 6)))
        own = weights[0, skipped:, :positions].float().cpu().numpy()
        decode = self.target_tokenizer.decode
        found = timed_words(own, read[skipped:], decode, scale * own.shape[1], part.sound)
        return tuple(
            replace(word, start=round(word.start + before, 3), end=round(word.end + before, 3))
            for word in found
        )

    def _output(
        self, hypothesis: Hypothesis, part: HeardPart | None = None, before: float = 0.0
    ) -> Output:
        tokens = [token for token in hypothesis.tokens if token != END]
        return Output(
            text=self.target_tokenizer.decode(tokens[self._unwritten() :]),
            tokens=tuple(self.target_tokenizer.symbols(tokens)),
            score=hypothesis.score,
            log_probability=hypothesis.log_probability,
            token_scores=hypothesis.token_scores,
            finished=hypothesis.finished,
            constraints_met=hypothesis.constraints_met,
            words=() if part is None else self._words(hypothesis, part, before),
            language=self.target_tokenizer.first_of.get(tokens[0], "") if tokens else "",
        )


def _joined(parts: Sequence[list[Output]]) -> list[Output]:
    """The outputs of a source's parts as its own: where there are several, the best of each."""
    if len(parts) == 1:
        return parts[0]
    best = [outputs[0] for outputs in parts]
    return [
        Output(
            text=" ".join(output.text for output in best if output.text),
            tokens=tuple(chain.from_iterable(output.tokens for output in best)),
            score=sum(output.score for output in best),
            log_probability=sum(output.log_probability for output in best),
            token_scores=tuple(chain.from_iterable(output.token_scores for output in best)),
            finished=all(output.finished for output in best),
            constraints_met=all(output.constraints_met for output in best),
            words=tuple(chain.from_iterable(output.words for output in best)),
            language=best[0].language,
        )
    ]


def _text(source: FrameSource) -> str:
    if not isinstance(source, str):
        raise DataError(f"source must be text for this model; got {type(source).__name__}")
    return source
