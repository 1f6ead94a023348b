"""How an exported model is used: as lines of Python to copy, and to check it against its origin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from transduce.config import Config, SearchConfig
from transduce.export.exported import SOURCE, TARGET, Exported, ExportUsage, arguments_of
from transduce.export.holdable import LONGEST, require_library
from transduce.workflow.trained import TrainedModel

__all__ = ["Agreement", "compare", "left_out", "model_left_out", "program", "translate"]

# Options of a search that CTranslate2 has too, with the same meaning.
_SHARED = {"beam", "min_length", "max_length", "no_repeat_ngram", "length_normalization"}
_IRRELEVANT = {"nbest", "batch_tokens", "temperature", "top_k", "top_p", "seed", "diversity"}


@dataclass(frozen=True)
class Agreement:
    """How many outputs of CTranslate2 were ours, letter for letter, with a beam of ``beam``."""

    beam: int
    same: int
    compared: int


def program(folder: Path, config: Config, sentence: str, part: str | None = None) -> str:
    """Python that needs ``ctranslate2`` and ``tokenizers`` only and prints one output.

    ``part`` is that of a mixture which the folder was written for. Raises ConfigError.
    """
    usage = ExportUsage.of(config, part)
    text = f"{usage.front!r} + {sentence!r}" if usage.front else repr(sentence)
    given = f"[source.encode({text}).tokens{'[::-1]' * usage.source_turned}]"
    prefix = f"target_prefix=[[{usage.first!r}]], " if usage.first else ""
    options = ", ".join(f"{name}={value}" for name, value in arguments_of(config.search).items())
    written = f"result.hypotheses[0]{'[1:]' * bool(usage.first)}{'[::-1]' * usage.target_turned}"
    lines = [
        "import ctranslate2, tokenizers",
        f"translator = ctranslate2.Translator({str(folder)!r})",
        f"source = tokenizers.Tokenizer.from_file({str(folder / SOURCE)!r})",
        f"target = tokenizers.Tokenizer.from_file({str(folder / TARGET)!r})",
        f"[result] = translator.translate_batch({given}, {prefix}{options})",
    ]
    numbers = f"[target.token_to_id(token) for token in {written}]"
    if usage.foreign:
        lines.append(f"numbers = {numbers}  # None: a symbol of another part")
        numbers = "[number for number in numbers if number is not None]"
    return "\n".join([*lines, f"print(target.decode({numbers}))"])


def compare(
    trained: TrainedModel, folder: Path, sources: Sequence[str], part: str | None = None
) -> list[Agreement]:
    """Decode with both, greedily and with the model's own beam, ours in full precision.

    Empty sources are passed over. Differences that are no fault: ties, rounding, and where
    beams stop (CTranslate2 does not count the end where it divides by the length).
    """
    trained.model.eval()
    predictor = trained.predictor(part, trained.model)
    full = [source for source in sources if source.strip()]
    shared = _shared(trained.config.search)
    found = []
    for beam in sorted({1, shared.beam}):
        options = shared.model_copy(update={"beam": beam})
        ours = [best.text for best, *_ in predictor.predict(full, options)]
        theirs = translate(folder, trained.config, full, options, part)
        same = sum(a == b for a, b in zip(ours, theirs, strict=True))
        found.append(Agreement(beam, same, len(full)))
    return found


def translate(
    folder: Path,
    config: Config,
    sources: Sequence[str],
    options: SearchConfig,
    part: str | None = None,
) -> Iterator[str]:
    """What the lines of :func:`program` give for each source, batched."""
    require_library()
    usage = ExportUsage.of(config, part)
    exported = Exported(folder, usage, arguments_of(options), torch.get_num_threads())
    return (text for text, _ in exported.answers(sources, 32))


def left_out(options: SearchConfig) -> list[str]:
    """The options of a search, set in the recipe, that CTranslate2 has no counterpart for."""
    default = SearchConfig()
    names = [
        name
        for name in SearchConfig.model_fields
        if name not in _SHARED | _IRRELEVANT and getattr(options, name) != getattr(default, name)
    ]
    if options.length_normalization == "power":
        names = [name for name in names if name != "length_alpha"]
    if options.length_normalization == "gnmt":
        names.append("length_normalization")
    return names


def model_left_out(config: Config) -> list[str]:
    """What a model does that the exported one does not, in words."""
    found = []
    if config.model.ctc:
        found.append("model.ctc: the encoder's own output stays behind, the decoder alone writes")
    stacks = (("sources", config.model.encoder), ("outputs", config.model.decoder))
    for name, stack in stacks:
        if getattr(stack, "positions", None) in ("sinusoidal", "fairseq"):
            found.append(f"{name} have at most {LONGEST:,} tokens there: no more positions")
    return found


def _shared(options: SearchConfig) -> SearchConfig:
    values = {name: getattr(options, name) for name in _SHARED}
    if options.length_normalization == "gnmt":
        values["length_normalization"] = "average"
    if options.length_normalization == "power":
        values["length_alpha"] = options.length_alpha
    return SearchConfig(**values)
