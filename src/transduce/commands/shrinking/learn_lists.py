"""``transduce shortlist``: the tokens that each source calls for, stored beside a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

from transduce.commands.arguments import split_overrides, test_examples, updated
from transduce.config import Files
from transduce.errors import ConfigError
from transduce.files import changing, place
from transduce.pretrained.published_model import load_trained
from transduce.reading.parts import Part, parts_of
from transduce.reading.problems import Problems
from transduce.shortlists import SHORTLIST, write_shortlist
from transduce.workflow.fitting.shortlisting import By, learn_shortlist, require_texts
from transduce.workflow.trained import TrainedModel

__all__ = ["learn_and_store"]

_WORTH_IT = 0.25  # of the vocabulary
_MOST_SOURCES = 2000  # that are predicted, to see how long lists must be


def learn_and_store(model: Path, arguments: Sequence[str], by: str, share: float) -> None:
    """Learn the lists, write them into the model directory and say what they leave as it was.

    Raises ConfigError, ModelError, DataError, BusyError, OSError.
    """
    if by not in get_args(By):
        raise ConfigError(f"--by must be one of {', '.join(get_args(By))}; got {by!r}")
    if not 0 < share <= 1:
        raise ConfigError(f"--unchanged must be above 0 and at most 1; got {share}")
    inputs, overrides = split_overrides(arguments)
    trained = load_trained(model)
    require_texts(trained)
    trained.config = updated(trained.config, overrides)
    problems = Problems(trained.config.data.on_error)
    given: Files | None = [Path(text) for text in inputs] or None
    pairs, sources = {}, {}
    for name, part in parts_of(trained.config).items():
        if (train := given or part.data.train) is None:
            raise ConfigError(
                "DATA must name a file with pairs, or the recipe data.train; got none"
            )
        pairs[name] = _pairs(trained, train, part, problems)
        heard = (
            pairs[name] if part.data.dev is None else _pairs(trained, part.data.dev, part, problems)
        )
        sources[name] = [source for source, _ in heard[:: -(-len(heard) // _MOST_SOURCES) or 1]]
    chosen = learn_shortlist(trained, pairs, sources, cast(By, by), share)
    with changing(model) as change:
        write_shortlist(change, chosen.shortlist)
    size, count = place(model, SHORTLIST).stat().st_size, sum(map(len, pairs.values()))
    print(
        f"shortlist: {model / SHORTLIST} ({size / 1e6:.2f} MB): the {chosen.frequent:,} most "
        f"frequent tokens and the {chosen.each} likeliest of each source token, "
        f"by {by} of {count:,} pairs"
    )
    print(
        f"{chosen.unchanged:.1%} of {sum(map(len, sources.values())):,} outputs stay as they are; "
        f"of {chosen.shortlist.size:,} tokens {chosen.listed:,.0f} are to choose from"
    )
    if chosen.listed > _WORTH_IT * chosen.shortlist.size:
        print("lists this long save little: measure whether the model is faster with them")
    print(f"to use it: transduce predict {model} search.shortlist=true")
    if problems.total:
        print(f"left out: {problems.summary()}")


def _pairs(
    trained: TrainedModel, files: Files, part: Part, problems: Problems
) -> list[tuple[str, str]]:
    examples = test_examples(trained.config, files, problems, part.name or None)
    return [(example.source, text) for example in examples for text in example.references]
