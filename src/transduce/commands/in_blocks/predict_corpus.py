"""``transduce predict --on``: a corpus in blocks, each record answered once, whatever is killed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from transduce import __version__
from transduce.commands.answering.chosen_models import chosen_models
from transduce.commands.arguments import say
from transduce.commands.in_blocks.block_folder import BlockFolder, named_output
from transduce.commands.in_blocks.block_forms import form_name
from transduce.commands.in_blocks.block_worker import AnsweredBlock, BlockWorker
from transduce.commands.in_blocks.corpus_blocks import CorpusBlock, block_size, cut_blocks
from transduce.commands.in_blocks.corpus_files import (
    CorpusFile,
    kind_of_table,
    named_files,
    survey,
)
from transduce.commands.in_blocks.corpus_progress import CorpusProgress
from transduce.commands.in_blocks.here import answered_here
from transduce.commands.in_blocks.on_ray import Cluster, answered_on_ray, imported_ray
from transduce.commands.predicting.answer_forms import FORMS
from transduce.commands.predicting.request import Request, require_together
from transduce.errors import ConfigError
from transduce.files import locked
from transduce.workflow.corpora.digests import digest

__all__ = ["Spread", "predict_corpus"]

Place = Callable[[BlockWorker, Sequence[CorpusBlock]], Iterator[AnsweredBlock]]

_HERE, _RAY = "here", "ray"


@dataclass(frozen=True)
class Spread:
    """``on`` is ``here``, ``ray`` or ``ray://ADDRESS``; ``block`` records to a block (None: by the
    size of the corpus), ``threads`` to a worker on Ray (None: 1).
    """

    on: str
    block: int | None = None
    threads: int | None = None


def predict_corpus(request: Request, spread: Spread) -> None:
    """Write the answers of a corpus to a folder; what is there of the same is not asked again.

    Raises TransduceError.
    """
    place, output = _place(spread), _output(request)
    request = replace(request, sources=tuple(named_files(request.sources)))
    models = chosen_models(request)
    form = form_name(request.form, kind_of_table(request.sources[0], models))
    _require_fit(request, form)
    files = survey(request.sources, models, say)
    worker = BlockWorker(request, output, form, models)
    size = spread.block or block_size(sum(file.records for file in files))
    blocks = cut_blocks(files, size)
    with named_output(output):
        output.mkdir(parents=True, exist_ok=True)
    with locked(output):
        folder = BlockFolder(output, worker.suffix)
        folder.begin(_asked(worker, files, size), blocks)
        _answer(worker, blocks, folder, place)


def _answer(
    worker: BlockWorker, blocks: Sequence[CorpusBlock], folder: BlockFolder, place: Place
) -> None:
    """Answer what is left, and say what was left out."""
    left = [block for block in blocks if block.number not in folder.finished]
    records = sum(block.count for block in blocks)
    done = sum(block.records for block in folder.finished.values())
    if done:
        say(f"{done:,} records in {len(folder.finished):,} blocks are finished already")
    progress = CorpusProgress(records, done, say)
    if left:
        for answered in place(worker, left):
            folder.add(answered.block)
            progress.note(answered)
    say(f"{records:,} records in {len(blocks):,} blocks: {folder.folder}")
    progress.finish(folder.finished, worker.request.least)


def _place(spread: Spread) -> Place:
    """Where blocks are answered. Raises ConfigError."""
    scheme, mark, address = spread.on.partition("://")
    if spread.block is not None and spread.block < 1:
        raise ConfigError(f"--block must be at least 1; got {spread.block}")
    if spread.on == _HERE:
        if spread.threads is not None:
            raise ConfigError(f"--threads must be given with --on ray; got --on {spread.on}")
        return answered_here
    if scheme != _RAY or bool(mark) != bool(address):
        raise ConfigError(f"--on must be here, ray or ray://ADDRESS; got {spread.on!r}")
    threads = 1 if spread.threads is None else spread.threads
    if threads < 1:
        raise ConfigError(f"--threads must be at least 1; got {threads}")
    imported_ray()  # now, and not when all files are read
    return partial(answered_on_ray, cluster=Cluster(address or None, threads), say=say)


def _output(request: Request) -> Path:
    """The folder of the answers. Raises ConfigError."""
    if request.output_folder is not None:
        raise ConfigError("--output-dir must not be given with --on; got both")
    if request.output is None:
        raise ConfigError("--output must name a folder with --on; got none")
    if os.path.exists(request.output) and not os.path.isdir(request.output):
        raise ConfigError(f"--output must be a folder with --on; got the file {request.output}")
    return request.output


def _require_fit(request: Request, form: str) -> None:
    """Raise ConfigError where a form has no place for what is asked beside the outputs."""
    if request.timings and (form != "jsonl" or request.column is not None):
        given = form if request.column is None else "--column"
        raise ConfigError(f"--timings must be used with --format jsonl; got {given}")
    require_together(replace(request, form=form), FORMS["jsonl"])


def _asked(worker: BlockWorker, files: Sequence[CorpusFile], size: int) -> dict[str, str]:
    """What names all that the answers depend on."""
    request, names = worker.request, worker.models.names()
    options = {
        "config": names["config"],
        "search": names["search"],
        "form": worker.form,
        "block": size,
        "column": request.column,
        "part": request.part,
        "timings": request.timings,
        "source_language": request.source_language,
        "confidence": request.confidence,
        "least": request.least,
        "alternatives": request.alternatives,
        "alignments": request.alignments,
    }
    return {
        "files": digest(json.dumps([asdict(file) for file in files])),
        "model": digest(json.dumps(names["weights"])),
        "options": digest(json.dumps(options, sort_keys=True)),
        "version": __version__,
    }
