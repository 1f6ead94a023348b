"""CTranslate2 as the benchmarks see it: our weights through our own exporter."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what loads here counts as the peer's start-up time
    from transduce.config import ModelConfig
    from transduce.models.seq2seq import Seq2Seq

__all__ = ["CTranslate2", "unfit", "write"]

_SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
_QUANTIZATIONS = ("float32", "int8")


def unfit(config: ModelConfig) -> str | None:
    """Why it cannot hold the model; None where it can."""
    from transduce.errors import ConfigError, ModelError
    from transduce.export.holdable import require_library, require_transformers

    try:
        require_transformers(config)
        require_library()
    except (ConfigError, ModelError) as error:
        return str(error)
    return None


def write(model: Seq2Seq, config: ModelConfig, folder: Path) -> None:
    """A directory of its own for each type of weights; symbols are written as their numbers."""
    from transduce.export.folder import export_model

    both = (model.source_embedding, model.target_embedding)
    source, target = (_symbols(len(embedding.weight)) for embedding in both)
    for quantization in _QUANTIZATIONS:
        export_model(model, config, source, target, folder / quantization, quantization)


def _symbols(size: int) -> list[str]:
    return [*_SPECIALS, *map(str, range(len(_SPECIALS), size))]


class CTranslate2:
    """What :func:`write` wrote, ready to decode: ``int8``, ``float32`` or ``int8 workers``.

    All sentences given at once are one batch, or one for each worker: as many workers of one
    thread each as there are threads, in place of one worker with all.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        import ctranslate2

        threads = int(os.environ["OMP_NUM_THREADS"])
        quantization, _, apart = kind.partition(" ")
        self._workers = threads if apart == "workers" else 1
        self._translator = ctranslate2.Translator(
            str(folder / quantization),
            device="cpu",
            compute_type=quantization,
            intra_threads=threads // self._workers,
            inter_threads=self._workers,
        )

    def decode(
        self, sources: Sequence[Sequence[int]], beam: int, min_length: int, max_length: int
    ) -> list[list[int]]:
        """The best output of each source."""
        results = self._translator.translate_batch(
            [list(map(str, source)) for source in sources],
            beam_size=beam,
            min_decoding_length=min_length,
            max_decoding_length=max_length,
            max_input_length=0,
            max_batch_size=-(-len(sources) // self._workers),
        )
        return [[int(symbol) for symbol in result.hypotheses[0]] for result in results]
