"""Searches with any options, tokens and batches: the model, the engine step by step and the engine.

All three give the same outputs or say the same. What arithmetic alone decides (weights changed by a
millionth change the outputs as well) is left out. In all its numbers the engine gives a sentence
beside others, bit for bit, what it gives it alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import fields
from functools import cache
from math import isclose
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from architectures import ARCHITECTURES, SYMBOLS, make_model, make_source_for
from fuzz.harness import Files, Harness, WrongAnswerError
from fuzz.mutations.values import json_with
from transduce.config.recipe import Config
from transduce.engine import fast_stepper
from transduce.errors import ConfigError, EngineError, TransduceError
from transduce.interfaces import END, Stepper
from transduce.models.seq2seq import Seq2Seq
from transduce.search import Constraints, Hypothesis, decode

Outputs = list[list[Hypothesis]]
Numbers = Literal["float32", "bfloat16", "int8"]

_KINDS = (
    *("gru-general", "lstm-none", "lstm-copy", "gru-copy-feeding", "lstm-feeding", "rnn-additive"),
    *("transformer-copy", "transformer-learned", "transformer-rotary", "transformer-relative"),
    *("transformer-grouped", "ssru-no-feedforward", "convolution-transformer", "linear-lstm-ctc"),
    *("subsampling-gru",),
)
_LENGTHS = ("max_length", "min_length", "no_repeat_ngram")
_WIDTHS = ("beam", "nbest", "diverse_groups")
_LONGEST, _WIDEST = 24, 9  # of what is permitted, and takes as long as it takes
_MOST_SOURCES, _MOST_TOKENS = 4, 80
_DOUBT = 1e-6


class _Stepwise:
    """An engine that makes no whole searches."""

    def __init__(self, engine: Any) -> None:
        self.start, self.step = engine.start, engine.step
        self.propose, self.ctc_log_probs = engine.propose, engine.ctc_log_probs
        self.vocabulary = engine.vocabulary


@cache
def _model(kind: str) -> Seq2Seq:
    model = make_model(ARCHITECTURES[kind])
    torch.manual_seed(4)
    with torch.no_grad():
        model.output.weight.normal_(0, 1.0)
        model.output.bias.normal_(0, 0.5)
        model.output.bias[END] = 1.0
    return model


@cache
def _engine(kind: str, numbers: Numbers = "float32") -> Any:
    return fast_stepper(_model(kind), numbers)


def lacks() -> str | None:
    """Why there is no engine here."""
    try:
        _engine(_KINDS[0])
    except EngineError as error:
        return str(error)
    return None


def feed(files: Files, folder: Path) -> object:
    """Search three times."""
    call = _call(files)
    kind = call.get("model")
    if kind not in _KINDS:
        raise ConfigError("model must be a known one")
    values = {name: _affordable(name, value) for name, value in _mapping(call, "options").items()}
    options = Config.from_mapping({"search": values}).search
    constraints = _constraints(_mapping(call, "constraints"))
    sources = _sources(call.get("sources"))

    def outcome(stepper: Stepper[Any], own: Sequence[int] | None = None) -> Outputs | str:
        own = range(len(sources)) if own is None else own
        source = make_source_for(_model(kind), [sources[number] for number in own])
        try:
            return decode(stepper, source, options, constraints, own)
        except TransduceError as error:
            return f"{type(error).__name__}: {error}"

    numbers = call.get("numbers")
    if numbers in get_args(Numbers):
        return _apart(lambda own: outcome(_engine(kind, numbers), own), len(sources))

    expected, engine = outcome(_model(kind)), _engine(kind)
    for stepper in (_Stepwise(engine), engine):
        found = outcome(stepper)
        if _alike(found, expected):
            continue
        if any(not _alike(outcome(other), expected) for other in _about(kind)):
            return "doubtful"
        raise WrongAnswerError(f"{_told(expected)} of the model, {_told(found)} of the engine")
    if isinstance(expected, str):
        raise ConfigError(expected)
    return len(expected), [len(found) for found in expected[:2]], expected[0][0].finished


def _apart(outcome: Callable[[Sequence[int] | None], Outputs | str], count: int) -> object:
    """What each sentence has alone, it has beside the others."""
    together = outcome(None)
    alone = [outcome([number]) for number in range(count)]
    if isinstance(together, str):
        if together not in alone:
            raise WrongAnswerError(f"together {together}, alone {_told(alone[0])}")
        raise ConfigError(together)
    for number, own in enumerate(alone):
        if own != [together[number]]:
            raise WrongAnswerError(f"alone {_told(own)}, together {_told([together[number]])}")
    return count


def _call(files: Files) -> dict[str, Any]:
    try:
        call = json.loads(files["call.json"])
    except (ValueError, RecursionError):
        raise ConfigError("no call") from None
    if not isinstance(call, dict):
        raise ConfigError("no call")
    return call


def _mapping(call: dict[str, Any], name: str) -> dict[str, Any]:
    found = call.get(name)
    return found if isinstance(found, dict) else {}


def _affordable(name: str, value: Any) -> Any:
    """Within bounds; what is beyond them stays, to be refused."""
    most = {**dict.fromkeys(_LENGTHS, 65_536), **dict.fromkeys(_WIDTHS, 10_000)}.get(name)
    room = _LONGEST if name in _LENGTHS else _WIDEST
    if most is not None and type(value) is int and room < value <= most:
        return value % room + 1
    return value


def _tokens(value: Any) -> tuple[int, ...]:
    """Numbers of tokens, of any size."""
    found = value if isinstance(value, list) else [value]
    return tuple(token for token in found if type(token) is int)[:_MOST_TOKENS]


def _constraints(values: dict[str, Any]) -> Constraints:
    known: dict[str, Any] = {}
    for field in fields(Constraints):
        value = values.get(field.name)
        if field.name == "adjustments":
            continue  # which no engine takes
        if field.name == "free":
            known["free"] = value if type(value) is int else 0
        elif field.name in ("forbidden", "required"):
            rows = value if isinstance(value, list) else []
            known[field.name] = tuple(map(_tokens, rows[:9]))
        else:
            known[field.name] = _tokens(value if isinstance(value, list) else [])
    return Constraints(**known)


def _sources(value: Any) -> list[list[int]]:
    """Sentences of the vocabulary's symbols, which all who encode texts make; none is one too."""
    rows = value[:_MOST_SOURCES] if isinstance(value, list) else [value]
    return [[token % SYMBOLS for token in _tokens(row)] for row in rows] or [[]]


def _about(kind: str) -> Iterator[Seq2Seq]:
    """The model, a little different."""
    for seed in range(4):
        near = deepcopy(_model(kind))
        torch.manual_seed(seed)
        with torch.no_grad():
            for weight in near.parameters():
                weight.add_(torch.randn_like(weight) * _DOUBT)
        yield near


def _alike(found: Outputs | str, expected: Outputs | str) -> bool:
    if isinstance(found, str) or isinstance(expected, str):
        return found == expected
    return len(found) == len(expected) and all(map(_all_alike, found, expected))


def _all_alike(found: Sequence[Hypothesis], expected: Sequence[Hypothesis]) -> bool:
    return len(found) == len(expected) and all(
        one.tokens == other.tokens
        and isclose(one.score, other.score, rel_tol=1e-3, abs_tol=1e-3)
        and one.finished == other.finished
        and one.constraints_met == other.constraints_met
        for one, other in zip(found, expected, strict=True)
    )


def _told(outputs: Outputs | str) -> str:
    if isinstance(outputs, str):
        return outputs
    return str([[(h.tokens, round(h.score, 3)) for h in found] for found in outputs])[:120]


_CALLS: list[dict[str, Any]] = [
    {"options": {"beam": 4, "nbest": 2, "max_length": 8}},
    {"options": {"sample": True, "top_k": 5, "nbest": 3, "max_length": 8, "temperature": 0.7}},
    {"options": {"beam": 4, "nbest": 4, "diverse_groups": 2, "diversity": 0.4, "max_length": 7}},
    {
        "options": {"beam": 3, "max_length": 9, "length_normalization": "gnmt", "min_length": 2},
        "constraints": {"prefix": [5, 6], "free": 1, "forbidden": [[7, 8]], "banned_first": [9]},
    },
    {
        "options": {"beam": 3, "stopping": "generate", "forced_end": True, "no_repeat_ngram": 2},
        "constraints": {"required": [[9, 10]], "first_of": [5, 7]},
    },
    {"options": {"beam": 2, "coverage_penalty": 0.3, "max_length_ratio": 1.5, "max_length": 12}},
    {"options": {"beam": 2, "ctc_weight": 0.4, "min_length_ratio": 0.5, "max_length": 12}},
]


def _samples() -> list[Files]:
    calls = []
    for number, kind in enumerate(_KINDS):
        numbers = (*get_args(Numbers), None)[number % 4]
        _engine(kind)  # compiled here, where it may be
        call = {
            "model": kind,
            "numbers": numbers,
            "sources": [[5, 6, 7, 12], [], [9, 10, 11, 12, 5, 6]],
        }
        options = _CALLS[number % len(_CALLS)]
        if "ctc_weight" in options["options"] and not kind.endswith("ctc"):
            options = _CALLS[0]
        calls.append({**call, "constraints": {}, **options})
    return [{"call.json": json.dumps(call).encode()} for call in calls]


HARNESS = Harness(
    "engine",
    _samples,
    {
        "*": json_with(
            *(*_KINDS, "none", "average", "gnmt", "power", "bound", "generate", "generate-early"),
            *(
                "generate-never",
                *range(-1, SYMBOLS + 2),
                SYMBOLS - 1,
                64,
                65,
                2**31,
                2**60,
                2**64 + 1,
            ),
            *([5] * 70, [5, 6, 7], [[5, 6], [7]], 0.1, 0.5, 0.9, 2.0, -1.0, 1e300, True, False),
        )
    },
    feed,
    quick=8,
    lacks=lacks,
)
