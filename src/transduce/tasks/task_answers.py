"""Outputs of a model in the form that the pipelines of transformers 4 give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from transduce.audio.word_times import Word
from transduce.errors import ConfigError
from transduce.tasks.token_numbers import TokenNumbers
from transduce.workflow.predicting.output import Output

__all__ = ["AnswerForm", "answer_form", "as_tensors", "recording_answer"]

# A space before punctuation, or inside a contraction, goes.
_CLEANED = (
    *((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'")),
    *((" n't", "n't"), (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re")),
)
_SENTENCE_ENDS = (".", "?", "!", "。", "？", "！")  # noqa: RUF001 (other scripts' own)
_PAUSE = 1.0  # seconds without a word that part two chunks
_KEYS = {"return_tensors", "return_text", "return_full_text", "return_type"}


@dataclass(frozen=True)
class AnswerForm:
    """``key`` names the text; ``kind`` is what a record holds."""

    key: str
    kind: str = "text"  # or tensors
    full: bool = False  # the prompt stands before the answer
    cleaned: bool = False
    stop_strings: tuple[str, ...] = ()

    def record(self, output: Output, prompt: str, numbers: TokenNumbers) -> dict[str, Any]:
        """One answer."""
        text = output.text
        if self.stop_strings:
            cut = numbers.cut_at(output.numbers, self.stop_strings)
            text = text if cut is None else numbers.coder.decode(list(cut))
        if self.cleaned:
            for spaced, plain in _CLEANED:
                text = text.replace(spaced, plain)
        if self.kind == "text":
            return {self.key: prompt + text if self.full else text}
        theirs = numbers.theirs(output.numbers, prompt=prompt, finished=output.finished)
        return {self.key.removesuffix("_text") + "_token_ids": theirs}


def answer_form(key: str, options: Mapping[str, Any], *, prompts: bool) -> AnswerForm:
    """The form that a call asks for. Raises ConfigError where two options exclude each other."""
    given = [name for name in _KEYS if options.get(name) is not None]
    if prompts and "return_type" not in given and len(given) > 1:
        raise ConfigError(f"{sorted(given)[0]} must stand without {sorted(given)[1]}")
    kind = options.get("return_type")
    number = getattr(kind, "value", kind)  # an enumeration of theirs, or its number
    if number is None:
        full = bool(options.get("return_full_text", True))
        number = 0 if options.get("return_tensors") else 1 + (prompts and full)
    if number not in (0, 1, 2) or (number == 2 and not prompts):
        raise ConfigError(f"return_type must be 0 (tensors) or 1 (text); got {kind}")
    return AnswerForm(
        key,
        "text" if number else "tensors",
        full=number == 2,
        cleaned=bool(options.get("clean_up_tokenization_spaces")),
    )


def as_tensors(records: Sequence[dict[str, Any]], padding: int) -> list[dict[str, Any]]:
    """Records whose numbers are tensors, those of one source equally long as ``generate`` gives
    them.
    """
    longest = max((len(row) for record in records for row in record.values()), default=0)
    return [
        {
            key: torch.tensor([*row, *[padding] * (longest - len(row))])
            for key, row in record.items()
        }
        for record in records
    ]


# ---------------------------------------------------------------- recordings


def recording_answer(output: Output, timestamps: Any, *, language: bool) -> dict[str, Any]:
    """``{"text": …}``, with ``chunks`` where times (``word``, or true: sentences) are asked for."""
    answer: dict[str, Any] = {"text": output.text}
    if timestamps or language:
        words = [[word] for word in output.words]
        chunks = words if timestamps == "word" else _sentences(output.words)
        if not timestamps:
            answer["chunks"] = [{"text": output.text, "language": output.language or None}]
            return answer
        answer["chunks"] = [_chunk(chunk, output, language=language) for chunk in chunks]
    return answer


def _chunk(words: Sequence[Word], output: Output, *, language: bool) -> dict[str, Any]:
    # each text begins with a space, as Whisper's do: joined they are the answer
    text = " " + " ".join(word.text for word in words)
    found: dict[str, Any] = {"text": text, "timestamp": (words[0].start, words[-1].end)}
    return {**found, "language": output.language or None} if language else found


def _sentences(words: Iterable[Word]) -> list[list[Word]]:
    """Words up to the end of a sentence, or to a pause."""
    found: list[list[Word]] = []
    for word in words:
        last = found[-1][-1] if found else None
        if last is None or last.text.endswith(_SENTENCE_ENDS) or word.start - last.end > _PAUSE:
            found.append([])
        found[-1].append(word)
    return found
