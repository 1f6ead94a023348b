"""``transduce export``: a trained model in another engine's format."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from transduce.config import Config
from transduce.errors import ConfigError, DataError
from transduce.export.folder import export_trained, require_free
from transduce.export.holdable import (
    require_library,
    require_own_tokenizers,
    require_quantization,
    require_transformers,
)
from transduce.export.usage import compare, left_out, model_left_out, program
from transduce.pretrained.published_model import load_trained
from transduce.reading.parts import find_part, part_tags, parts_of
from transduce.reading.problems import Problems
from transduce.reading.sources import read_sources
from transduce.workflow.corpora.corpora import examples_from_files
from transduce.workflow.trained import TrainedModel

__all__ = ["export"]

_FORMATS = ("ctranslate2",)
_CHECKED = 100  # sentences decoded with both


def export(
    model: Path,
    form: str,
    output: Path,
    quantization: str,
    check: Path | None,
    part: str | None = None,
) -> None:
    """Write the directory, say how to use it, and whether it writes what the model does.

    ``part`` of a mixture is what the lines and the tokenizers beside the model are for. Raises
    ConfigError, ModelError and DataError; all but a full disk before any work.
    """
    if form not in _FORMATS:
        raise ConfigError(f"--format must be {' or '.join(_FORMATS)}; got {form!r}")
    require_quantization(quantization)
    config = TrainedModel.read_config(model)
    require_own_tokenizers(config.for_part(find_part(config, part).name))
    require_transformers(config.model)
    require_library()
    require_free(output)
    trained = load_trained(model, "cpu")
    sources = _sources(trained.config, check, part)
    export_trained(trained, output, quantization, part=part)
    print(program(output, trained.config, sources[0] if sources else "A text.", part))
    for said in model_left_out(trained.config):
        print(f"# {said}")
    for name in left_out(trained.config.search):
        print(f"# search.{name} has no counterpart in CTranslate2")
    for agreement in compare(trained, output, sources, part) if sources else ():
        search = "greedy" if agreement.beam == 1 else f"beam {agreement.beam}"
        print(f"# {search}: {agreement.same} of {agreement.compared} outputs equal the model's")
    if not sources:
        print("# not compared: the recipe names no dev files (--check FILE names sources)")


def _sources(config: Config, check: Path | None, part: str | None) -> Sequence[str]:
    """What to compare on: the named file's first sources, or those of the dev data if any."""
    data = find_part(config, part).data
    if check is not None:
        found = [source for source in read_sources(check, data) if source.strip()]
        if not found:
            raise DataError("--check must name a file with sources; got none", file=check)
        return found[:_CHECKED]
    if data.dev is None:
        return []
    try:
        examples = examples_from_files(
            data.dev, data, Problems("skip"), part_tags(parts_of(config))
        )
    except DataError:
        return []
    return [example.source for example in islice(examples, _CHECKED)]
