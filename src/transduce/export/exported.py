"""An exported model as CTranslate2 runs it. Nothing here loads torch, which it does without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transduce.config import Config, SearchConfig
from transduce.reading.parts import find_part

__all__ = ["SOURCE", "TARGET", "ExportUsage", "Exported", "arguments_of"]

SOURCE, TARGET = "source.tokenizer.json", "target.tokenizer.json"


@dataclass(frozen=True)
class ExportUsage:
    """What the texts of a part need around a translator, which knows symbols alone."""

    front: str  # of every source: the tag, data.source_prefix
    first: str  # what the decoder begins with: the tag, "" where it has none
    source_turned: bool  # read from right to left, which ``tokenizers`` does not know
    target_turned: bool
    foreign: bool  # whether the vocabulary has symbols that the target's tokenizer has not

    @classmethod
    def of(cls, config: Config, part: str | None) -> ExportUsage:
        """That of a model with this config. Raises ConfigError."""
        chosen = find_part(config, part)
        own = config.for_part(chosen.name)
        return cls(
            chosen.source(""),
            chosen.target_tag,
            own.tokenizer.source.right_to_left,
            own.target_tokenizer.right_to_left,
            len(config.tokenizer_names("target")) > 1,
        )


class Exported:
    """What answers texts with an export; ``arguments`` are those of ``translate_batch``."""

    def __init__(
        self, folder: Path, usage: ExportUsage, arguments: Mapping[str, float], threads: int
    ) -> None:
        import ctranslate2  # an extra
        from tokenizers import Tokenizer

        self._usage, self._arguments = usage, arguments
        self._source, self._target = (
            Tokenizer.from_file(str(folder / name)) for name in (SOURCE, TARGET)
        )
        self._numbers = self._target.get_vocab()
        # A worker for each thread: two threads in one batch of a small model are many times slower.
        self._workers = threads
        self._translator = ctranslate2.Translator(
            str(folder), device="cpu", inter_threads=threads, intra_threads=1
        )

    def answers(self, sources: Sequence[str], together: int) -> Iterator[tuple[str, int]]:
        """The best output of each source and its tokens, END among them; so many at once."""
        usage = self._usage
        turn = -1 if usage.source_turned else 1
        encoded = self._source.encode_batch([usage.front + text for text in sources])
        results = self._translator.translate_batch(
            [encoding.tokens[::turn] for encoding in encoded],
            target_prefix=[[usage.first]] * len(sources) if usage.first else None,
            max_batch_size=-(-together // self._workers),
            **self._arguments,
        )
        for result in results:
            written = result.hypotheses[0][bool(usage.first) :]
            known = [self._numbers[t] for t in written if t in self._numbers or not usage.foreign]
            text = self._target.decode(known[::-1] if usage.target_turned else known)
            yield text, len(written) + 1


def arguments_of(options: SearchConfig) -> Mapping[str, float]:
    """Of ``translate_batch``, for what CTranslate2 has a counterpart of."""
    arguments: dict[str, float] = {
        "beam_size": 1 if options.sample else options.beam,
        "max_decoding_length": options.max_length,
        "min_decoding_length": options.min_length,
        "max_input_length": 0,  # cut no source
    }
    if (power := _length_power(options)) != 1:
        arguments["length_penalty"] = power
    if options.nbest > 1 and not options.sample:
        arguments["num_hypotheses"] = options.nbest
    if options.no_repeat_ngram:
        arguments["no_repeat_ngram_size"] = options.no_repeat_ngram
    return arguments


def _length_power(options: SearchConfig) -> float:
    """Of the length that scores are divided by; CTranslate2 has no ``gnmt``."""
    match options.length_normalization:
        case "none":
            return 0
        case "power":
            return options.length_alpha
        case _:
            return 1
