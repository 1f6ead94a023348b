"""What a person sees when training is over: scores, some answers, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from transduce.config import Config
from transduce.evaluation.tables import render_table
from transduce.reading.columns import layout_of
from transduce.reading.pair_files import Example
from transduce.tokenization.tags import find_tags, without_tags
from transduce.workflow.evaluate import Evaluation, normalizer

__all__ = ["answers", "next_commands", "raw_source"]

_SHOWN = 3
_WIDEST = 60  # characters of a cell


def answers(config: Config, evaluation: Evaluation) -> str:
    """A table of three right answers and three wrong ones, as far as there are such."""
    normal = normalizer([config])
    right: list[tuple[Example, str]] = []
    wrong: list[tuple[Example, str]] = []
    for example, output in zip(evaluation.examples, evaluation.outputs, strict=True):
        is_right = normal(output.text) in [normal(text) for text in example.references]
        among = right if is_right else wrong
        among.append((example, output.text))
    rows = [
        [word, _cell(raw_source(example.source, config)), _cell(text), _cell(_wanted(example))]
        for word, found in (("right", right), ("wrong", wrong))
        for example, text in _spread(found)
    ]
    title = f"{len(right):,} right and {len(wrong):,} wrong of {len(right) + len(wrong):,}"
    return render_table(title, ["", "source", "the model says", "the data says"], rows)


def next_commands(config: Config, folder: Path, example: Example) -> Iterator[str]:
    """Commands to type, each with what it does."""
    model = shlex.quote(str(folder))
    if config.data.input.kind == "text":
        source = raw_source(example.source, config)
        shown = shlex.quote(source).replace("\t", "'$'\\t''")
        yield f"printf '%s\\n' {shown} | transduce predict {model}"
        yield f"transduce predict {model} FILE -o OUTPUT    # a source on each line"
        yield f"transduce show {model} --attention {shown} -o attention.png"
    else:
        yield f"transduce predict {model} {shlex.quote(example.source)}"
        yield f"transduce show {model} --attention {shlex.quote(example.source)} -o attention.png"
    yield f"transduce evaluate {model} --worst 10"
    yield f"transduce train {shlex.quote(str(folder / 'recipe.yaml'))} --output {model}-2"


def raw_source(source: str, config: Config) -> str:
    """A source as it stands in a line of the source's columns, tags between separators."""
    columns = layout_of(config.data).sources
    if not any(column.tags for column in columns):
        return source
    tags = [symbol[1:-1] for symbol in find_tags(source)]
    texts = without_tags(source).strip().split("\t")
    of_tags = [column for column in columns if column.tags]
    pieces = []
    for column in columns:
        if not column.tags:
            pieces.append(texts.pop(0) if texts else "")
        elif len(of_tags) == 1 and column.separators:
            pieces.append(column.separators[0].join(tags))
        else:
            pieces.append(tags.pop(0) if tags else "")
    return "\t".join(pieces)


def _wanted(example: Example) -> str:
    return " or ".join(example.references[:2])


def _spread(found: Sequence[tuple[Example, str]]) -> Iterator[tuple[Example, str]]:
    step = max(1, len(found) // _SHOWN)
    yield from found[::step][:_SHOWN]


def _cell(text: str) -> str:
    text = text.replace("\t", " ")
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
