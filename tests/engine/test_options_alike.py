"""Every option of a search is answered, or refused, alike by the model and the engine.

By the engine twice: stepped by search, and where it makes the whole search itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from engine_kernels import kernels

from architectures import ARCHITECTURES, SYMBOLS, make_model, make_source_for
from transduce.config import SearchConfig, TokenizerConfig
from transduce.config.search import SEARCH_OPTIONS
from transduce.engine import fast_stepper
from transduce.errors import TransduceError
from transduce.interfaces import END, Source
from transduce.models.seq2seq import Seq2Seq
from transduce.reading.parts import WHOLE
from transduce.search import Constraints, Ensemble, Hypothesis, Shortlist, decode, decode_all
from transduce.tokenization.tokenizer import Tokenizer
from transduce.workflow.predicting.source_limits import UNLIMITED
from transduce.workflow.predicting.source_rows import source_rows

SOURCES = [[5, 6, 7, 12], [], [9, 10, 11, 12, 5, 6]]

# What a model may lack: attention, tokens to copy, a second output, positions without end.
KINDS = {
    "attention": "gru-general",
    "no attention": "lstm-none",
    "copy": "lstm-copy",
    "transformer, copy": "transformer-copy",
    "positions": "transformer-learned",
    "frames": "convolution-transformer",
    "frames, ctc": "linear-lstm-ctc",
}

# Of every option values that change something, alone or with what they need.
VALUES: dict[str, list[dict[str, Any]]] = {
    "beam": [{"beam": 1}, {"beam": 4}, {"beam": 3 * SYMBOLS}],
    "nbest": [{"nbest": 3, "beam": 3}, {"nbest": 4, "beam": 2}, {"nbest": 2, "sample": True}],
    "sample": [{"sample": True}, {"sample": True, "beam": 2}],
    "temperature": [{"temperature": 0.5, "sample": True}, {"temperature": 0.5}],
    "top_k": [{"top_k": 3, "sample": True}, {"top_k": 3}, {"top_k": 999, "sample": True}],
    "top_p": [{"top_p": 0.6, "sample": True}, {"top_p": 0.6}],
    "min_p": [{"min_p": 0.5, "sample": True}, {"min_p": 0.5}],
    "typical_p": [{"typical_p": 0.3, "sample": True}, {"typical_p": 0.3}],
    "epsilon_cutoff": [{"epsilon_cutoff": 0.2, "sample": True}, {"epsilon_cutoff": 0.2}],
    "eta_cutoff": [{"eta_cutoff": 0.5, "sample": True}, {"eta_cutoff": 0.5}],
    "sample_beam": [{"sample_beam": 3, "sample": True, "nbest": 2}, {"sample_beam": 2}],
    "seed": [{"seed": 7, "sample": True}, {"seed": -(2**70), "sample": True}, {"seed": 5}],
    "diverse_groups": [{"diverse_groups": 2, "beam": 4, "nbest": 4}, {"diverse_groups": 3}],
    "diversity": [
        {"diversity": 2.0, "diverse_groups": 2, "beam": 2, "nbest": 2},
        {"diversity": 2.0, "beam": 2},
    ],
    "length_normalization": [
        {"length_normalization": kind, "beam": 3, "nbest": 3}
        for kind in ("none", "average", "gnmt", "power")
    ],
    "length_alpha": [
        {"length_alpha": 2.0, "length_normalization": "power", "beam": 4},
        {"length_alpha": -1.0, "length_normalization": "gnmt", "beam": 4, "stopping": "generate"},
        {"length_alpha": -1.0, "length_normalization": "gnmt", "beam": 4},
        {"length_alpha": 2.0, "length_normalization": "average", "beam": 4},
        {"length_alpha": 2.0, "length_normalization": "none"},
    ],
    "stopping": [
        {"stopping": kind, "beam": 3, "nbest": 3}
        for kind in ("bound", "generate", "generate-early", "generate-never")
    ],
    "forced_end": [{"forced_end": True, "stopping": "generate", "beam": 2}, {"forced_end": True}],
    "ctc_weight": [{"ctc_weight": 0.4}, {"ctc_weight": 1.0, "beam": 3}],
    "coverage_penalty": [
        {"coverage_penalty": 0.2},
        {"coverage_penalty": 0.7, "beam": 4, "nbest": 4},
        {"coverage_penalty": 0.7, "sample": True},
    ],
    "min_length": [{"min_length": 5}, {"min_length": 5, "beam": 3}, {"min_length": 7}],
    "max_length": [{"max_length": 1}, {"max_length": 3, "beam": 3}, {"max_length": 70}],
    "min_length_ratio": [{"min_length_ratio": 1.5}, {"min_length_ratio": 1e300, "beam": 2}],
    "max_length_ratio": [
        {"max_length_ratio": 0.5, "beam": 2},
        {"max_length_ratio": 0.5, "min_length_ratio": 1.0},
    ],
    "no_repeat_ngram": [{"no_repeat_ngram": 2}, {"no_repeat_ngram": 1, "beam": 3}],
    "repetition_penalty": [{"repetition_penalty": 3.0}, {"repetition_penalty": 3.0, "beam": 3}],
    "prefix": [{"prefix": "a"}],
    "forbidden": [{"forbidden": ("a",)}],
    "required": [{"required": ("a",)}],
    # cut before the batch is made, by whoever encodes the source: no difference here
    "max_source_length": [{"max_source_length": 3}],
    "batch_tokens": [{"batch_tokens": 1}],
    "shortlist": [{"shortlist": True}, {"shortlist": True, "beam": 3, "nbest": 3}],
}

# What texts among the options become.
CONSTRAINTS: dict[str, Constraints] = {
    "prefix": Constraints(prefix=(5, 7)),
    "unknown prefix": Constraints(prefix=(SYMBOLS,)),
    "huge prefix": Constraints(prefix=(2**80,)),
    "long prefix": Constraints(prefix=(5,) * 70),
    "free prefix": Constraints(prefix=(5, 7), free=1),
    "special prefix": Constraints(prefix=(END,)),
    "banned first": Constraints(banned_first=(END, 6, 8)),
    "all banned first": Constraints(banned_first=tuple(range(SYMBOLS))),
    "unknown banned first": Constraints(banned_first=(SYMBOLS + 3,)),
    "negative banned first": Constraints(banned_first=(-1,)),
    "first of": Constraints(first_of=(5, 9)),
    "unknown first of": Constraints(first_of=(5, 2**70)),
    "forbidden": Constraints(forbidden=((6,), (7, 7))),
    "unknown forbidden": Constraints(forbidden=((6, 99),)),
    "required": Constraints(required=((6, 8),)),
    "unknown required": Constraints(required=((6, 99),)),
}


class Stepwise:
    """An engine that makes no whole searches."""

    def __init__(self, engine: Any) -> None:
        self.start, self.step = engine.start, engine.step
        self.propose, self.ctc_log_probs = engine.propose, engine.ctc_log_probs
        self.vocabulary = engine.vocabulary


def opinionated(name: str) -> Seq2Seq:
    model = make_model(ARCHITECTURES[name])
    torch.manual_seed(4)
    with torch.no_grad():
        model.output.weight.normal_(0, 1.0)
        model.output.bias.normal_(0, 0.5)
        model.output.bias[END] = 1.0
    return model


@pytest.fixture(scope="module")
def steppers() -> Callable[[str], list[Any]]:
    """The model, the engine step by step, and the engine, made once a kind."""
    kernels()
    made: dict[str, list[Any]] = {}

    def of(kind: str) -> list[Any]:
        if kind not in made:
            model = opinionated(KINDS[kind])
            engine = fast_stepper(model, "float32")
            made[kind] = [model, Stepwise(engine), engine]
        return made[kind]

    return of


def outcome(
    stepper: Any, model: Seq2Seq, values: dict[str, Any], constraints: Constraints | None
) -> list[list[Hypothesis]] | str:
    """What comes out, or what is said instead."""
    options = SearchConfig().model_copy(update={"max_length": 6, **values})
    try:
        return decode(stepper, make_source_for(model, SOURCES), options, constraints)
    except TransduceError as error:
        return f"{type(error).__name__}: {error}"


def assert_alike(found: Any, expected: Any) -> None:
    if isinstance(expected, str) or isinstance(found, str):
        assert found == expected
        return
    for mine, theirs in zip(found, expected, strict=True):
        assert [h.tokens for h in mine] == [h.tokens for h in theirs]
        for one, other in zip(mine, theirs, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-3, rel=1e-4)
            assert one.token_scores == pytest.approx(other.token_scores, abs=1e-3)
            assert one.finished == other.finished
            assert one.constraints_met == other.constraints_met


def are_alike(found: Any, expected: Any) -> bool:
    try:
        assert_alike(found, expected)
    except (AssertionError, ValueError):  # or another number of outputs
        return False
    return True


def test_every_option_is_here() -> None:
    assert set(VALUES) == set(SearchConfig.model_fields)
    assert set(SEARCH_OPTIONS) == set(SearchConfig.model_fields)


# Texts are tokens when a search begins.
TEXTS = {
    "prefix": Constraints(prefix=(5, 7)),
    "forbidden": Constraints(forbidden=((6,), (7,), (8,), (9,))),
    "required": Constraints(required=((6, 8),)),
}
# Beside the option itself.
LISTED = Shortlist(np.arange(SYMBOLS + 1), np.arange(SYMBOLS), np.array([10]), SYMBOLS)
BESIDE = {**TEXTS, "shortlist": Constraints(shortlist=LISTED)}
BEFORE_SEARCH = {"max_source_length", "batch_tokens"}  # see the tests of these two


@pytest.mark.parametrize("option", sorted(set(VALUES) - BEFORE_SEARCH))
def test_every_option_changes_an_output(option: str, steppers: Callable[[str], list[Any]]) -> None:
    """In the model, in the engine's steps and in its own searches: an option that all of them
    pass over in silence would be answered alike.
    """
    seen: set[str] = set()
    for kind in ("attention", "copy", "frames, ctc"):
        model, *engines = steppers(kind)
        for values in [{}, {"beam": 3, "nbest": 3}] if option in TEXTS else VALUES[option]:
            without = {name: value for name, value in values.items() if name != option}
            said = set()
            for stepper in (model, *engines):
                found = outcome(stepper, model, values, BESIDE.get(option))
                before = outcome(stepper, model, without, None)
                same = "idle" if are_alike(found, before) else "changed"
                said.add("refused" if isinstance(found, str) else same)
            assert len(said) == 1
            seen |= said
    assert "changed" in seen


@pytest.mark.parametrize("option", [n for n, o in SEARCH_OPTIONS.items() if o.beside])
def test_an_option_without_what_it_needs_is_refused(
    option: str, steppers: Callable[[str], list[Any]]
) -> None:
    model, *engines = steppers("attention")
    beside = SEARCH_OPTIONS[option].beside
    assert beside is not None
    [value, *_] = [v[option] for v in VALUES[option]]
    for idle in beside.idle_at:
        for stepper in (model, *engines):
            said = outcome(stepper, model, {option: value, beside.name: idle}, None)
            assert isinstance(said, str)
            assert said.startswith(f"SearchError: {beside.name} must be {beside.wanted} for ")
            assert option in said


# With the option alone, and what it stands beside.
ALONE: dict[str, dict[str, Any]] = {
    **{option: values[0] for option, values in VALUES.items()},
    "beam": {"beam": 4},
    "seed": {"seed": 5},
    "stopping": {"stopping": "generate"},
    **{option: {} for option in TEXTS},
}


@pytest.mark.parametrize("option", SEARCH_OPTIONS)
def test_records_say_how_a_search_is_made(
    option: str, steppers: Callable[[str], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _, engine = steppers("frames, ctc" if option == "ctc_weight" else "attention")
    used: set[str] = set()

    def noted(method: Callable[..., Any], takes: str) -> Callable[..., Any]:
        return lambda *given: used.add(takes) or method(*given)

    for name, takes in (("search", "plan"), ("propose", "candidates"), ("step", "rows")):
        monkeypatch.setattr(engine, name, noted(getattr(engine, name), takes))
    found = outcome(engine, model, ALONE[option], BESIDE.get(option))
    assert not isinstance(found, str)
    assert used == {SEARCH_OPTIONS[option].takes}


def test_batch_tokens_says_how_many_are_decoded_together() -> None:
    model, counts = opinionated(KINDS["attention"]), []

    class Counting:
        step = staticmethod(model.step)

        @staticmethod
        def start(source: Source, *, attention: bool = False) -> Any:
            counts.append(len(source.lengths))
            return model.start(source, attention=attention)

    for options in (SearchConfig(max_length=3), SearchConfig(max_length=3, batch_tokens=1)):
        list(decode_all(Counting(), SOURCES, options))
    assert counts == [3, 1, 1, 1]


def test_max_source_length_cuts_what_is_read() -> None:
    tokenizer = Tokenizer.train(["abcabc"], TokenizerConfig(kind="character"))
    for options, length in ((SearchConfig(), 6), (SearchConfig(max_source_length=3), 2)):
        [row] = source_rows(["abcabc"], tokenizer, WHOLE, options, UNLIMITED)
        assert isinstance(row, list)
        assert len(row) == length  # END comes behind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("option", VALUES)
def test_options(kind: str, option: str, steppers: Callable[[str], list[Any]]) -> None:
    model, *engines = steppers(kind)
    for values in VALUES[option]:
        expected = outcome(model, model, values, None)
        for engine in engines:
            assert_alike(outcome(engine, model, values, None), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints(kind: str, name: str, steppers: Callable[[str], list[Any]]) -> None:
    model, *engines = steppers(kind)
    for values in ({}, {"beam": 3, "nbest": 2}):
        expected = outcome(model, model, values, CONSTRAINTS[name])
        for engine in engines:
            assert_alike(outcome(engine, model, values, CONSTRAINTS[name]), expected)


@pytest.mark.parametrize(
    "option", ["beam", "sample", "coverage_penalty", "ctc_weight", "forced_end"]
)
@pytest.mark.parametrize("kinds", [("attention", "copy"), ("attention", "no attention")])
def test_ensembles(
    kinds: tuple[str, str], option: str, steppers: Callable[[str], list[Any]]
) -> None:
    members = [steppers(kind) for kind in kinds]
    model = members[0][0]
    for values in VALUES[option]:
        expected, *found = [
            outcome(Ensemble(of_one), model, values, None) for of_one in zip(*members, strict=True)
        ]
        for one in found:
            assert_alike(one, expected)
