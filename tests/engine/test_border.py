"""The border to the kernels: whatever is handed in, nothing crashes; a line says what is wrong."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from engine_kernels import kernels
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from architectures import ARCHITECTURES, SYMBOLS, make_model, make_source_for, make_target
from transduce.config import SearchConfig
from transduce.engine import fast_stepper
from transduce.engine.programs.program import Number, Program
from transduce.errors import EngineError, ModelError, SearchError, TransduceError
from transduce.interfaces import BEGIN, BeamPlan
from transduce.kernels import border, lstm
from transduce.kernels.loss import loss_gradient, normalize_rows
from transduce.kernels.running.runner import Extent, Runner
from transduce.modules.positions import rotary_table
from transduce.search import decode

SOURCES = [[5, 6, 7], [8], [9, 10, 11, 12]]
HUGE = [-(2**63), -(2**31), -1, 0, 2**31 - 1, 2**31, 2**40, 2**60, 2**63 - 1]


def engine_of(name: str, number: Number = "float32") -> tuple[Any, Any]:
    kernels()
    model = make_model(ARCHITECTURES[name])
    return model, fast_stepper(model, number)


# ---------------------------------------------------------------- what a person can cause


@pytest.mark.parametrize("token", [SYMBOLS, 3000, 10**12, 2**62, -1, -(2**60)])
@pytest.mark.parametrize("name", ["gru-general", "transformer-rotary"])
def test_tokens_outside_the_vocabulary(name: str, token: int) -> None:
    model, engine = engine_of(name)
    source = make_source_for(model, SOURCES)
    state = engine.start(source)
    for refused in (
        lambda: engine.step(torch.full((3, 1), token), state),
        lambda: engine.propose(torch.full((3, 1), token), state, 2),
    ):
        with pytest.raises(
            EngineError, match=f"tokens must be at least 0 and below .*; got {token}"
        ):
            refused()
    source.values[1, 0] = token
    with pytest.raises(EngineError, match=f"tokens must be at least 0 and below .*; got {token}"):
        engine.start(source)


@pytest.mark.parametrize("length", [0, -1, 30, 2**62])
@pytest.mark.parametrize("name", ["gru-general", "lstm-none", "transformer", "linear-transformer"])
def test_lengths_that_the_source_does_not_have(name: str, length: int) -> None:
    model, engine = engine_of(name)
    source = make_source_for(model, SOURCES)
    source.lengths[1] = length
    with pytest.raises((EngineError, SearchError), match=r"must be|numbers; got NaN"):
        decode(engine, source, SearchConfig(max_length=3))


@pytest.mark.parametrize("beam", [2**31, 2**60, 2**63, 2**64 + 1, 2**70])
@pytest.mark.parametrize("name", ["gru-general", "transformer-rotary"])
def test_beams_that_no_memory_holds(name: str, beam: int) -> None:
    _, engine = engine_of(name)
    source = make_source_for(engine_of(name)[0], SOURCES)
    plan = BeamPlan(beam, 1, (0,) * 3, (4,) * 3, (1.0,) * 9)
    with pytest.raises(TransduceError, match="must"):
        engine.search(source, plan)


PLAN = BeamPlan(2, 2, (0,) * 3, (4,) * 3, (1.0,) * 7)
WRONG: dict[str, Any] = {
    "no beam": replace(PLAN, beam=0),
    "less than none": replace(PLAN, beam=-3, nbest=-3),
    "more than there are": replace(PLAN, nbest=3),
    "no output": replace(PLAN, nbest=0),
    "outputs without end": replace(PLAN, beam=2**31, nbest=2**31),
    "fewer than least": replace(PLAN, least=(5,) * 3),
    "less than no token": replace(PLAN, least=(-1,) * 3),
    "of other sentences": replace(PLAN, least=(0,) * 2),
    "of fewer sentences": replace(PLAN, least=(0,) * 2, most=(4,) * 2),
    "of more sentences": replace(PLAN, least=(0,) * 4, most=(4,) * 4),
    "too few penalties": replace(PLAN, penalties=(1.0,) * 6),
    "a longer prefix": replace(PLAN, prefix=(5,) * 5),
    "an unknown prefix": replace(PLAN, prefix=(SYMBOLS,)),
    "a prefix below": replace(PLAN, prefix=(-1,)),
    "an unknown ban": replace(PLAN, banned_first=(4, SYMBOLS)),
    "a huge ban": replace(PLAN, banned_first=(2**64 + 5,)),
    "free beyond": replace(PLAN, prefix=(5,), free=2**64),
    "free below": replace(PLAN, free=-1),
    "a length beyond": replace(PLAN, most=(2**40,) * 3),
    "a length above": replace(PLAN, most=(2**64 + 4,) * 3),
}


@pytest.mark.parametrize("plan", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("name", ["gru-general", "transformer-relative"])
def test_plans_that_make_no_sense(name: str, plan: BeamPlan) -> None:
    model, engine = engine_of(name)
    engine.search(make_source_for(model, SOURCES), PLAN)
    with pytest.raises(TransduceError, match="must"):
        engine.search(make_source_for(model, SOURCES), plan)


def test_targets_outside_the_logits() -> None:
    kernels()
    logits = torch.randn(4, 9)
    normalizers, _ = normalize_rows(logits)
    for target in (9, -1, 2**62):
        targets = torch.tensor([1, 2, target, 3])
        with pytest.raises(
            EngineError, match=f"targets must be at least 0 and below 9; got {target}"
        ):
            loss_gradient(logits, targets, normalizers, 0.1, 1.0)
    with pytest.raises(EngineError, match="must be 4, one for each row"):
        loss_gradient(logits, torch.tensor([1, 2]), normalizers, 0.1, 1.0)
    with pytest.raises(EngineError, match="contiguous"):
        normalize_rows(torch.randn(9, 4).t())


def test_a_layer_whose_weights_do_not_fit() -> None:
    kernels()
    vectors, state = torch.randn(24, 3, 8), torch.zeros(24, 16)
    weights = [torch.randn(64, 8), torch.randn(64, 16), torch.randn(64), torch.randn(64)]
    lstm.lstm(vectors, state, state, weights)
    for place in range(4):
        cut = [weight[:-1] if n == place else weight for n, weight in enumerate(weights)]
        with pytest.raises(EngineError, match="must have shapes"):
            lstm.lstm(vectors, state, state, cut)
    with pytest.raises(EngineError, match="cell must be"):
        lstm.lstm(vectors, state, state[:3], weights)
    narrow = [torch.randn(68, 8), torch.randn(68, 17), torch.randn(68), torch.randn(68)]
    with pytest.raises(EngineError, match="sizes of a run must agree"):
        lstm.lstm(vectors, torch.zeros(24, 17), torch.zeros(24, 17), narrow)


# ---------------------------------------------------------------- integers


def test_no_integer_is_cut() -> None:
    functions = kernels().functions
    for number in (2**31, 2**32 + 4, 2**64 + 4, -(2**31) - 1):
        with pytest.raises(EngineError, match=f"must be a number of 32 bits; got {number}"):
            Program(kernels(), "float32").buffer(number)
    for number in (2**63, 2**64 + 1, -(2**63) - 1):
        with pytest.raises(EngineError, match=f"rows must be a number of 64 bits; got {number}"):
            Extent(rows=number, sentences=1, source=1).call((border.Given * 1)())
    names = {name for name, _ in vars(type(functions)).items()}
    assert not names & {"run", "search"}  # nothing but what was wrapped is reached


def test_what_is_refused_says_which_tensor() -> None:
    program = Program(kernels(), "float32")
    buffer = program.buffer(4)
    program.fetch("given", buffer, stride=4)
    program.put(buffer, "wanted", stride=4)
    runner, extent = Runner(program), Extent(rows=3, sentences=1, source=3)
    whole = torch.zeros(3, 4)
    runner.run({"given": whole}, extent)
    with pytest.raises(EngineError, match="given must be given"):
        runner.run({"wanted": whole}, extent)
    with pytest.raises(EngineError, match="wanted must have 48 bytes; got 32"):
        runner.run({"given": whole, "wanted": whole[:2]}, extent)
    with pytest.raises(EngineError, match="given must be contiguous, on the CPU"):
        runner.run({"given": torch.zeros(4, 3).t()}, extent)
    with pytest.raises(EngineError, match="given must be contiguous, on the CPU"):
        runner.run({"given": torch.zeros(3, 4, device="meta")}, extent)
    with pytest.raises(EngineError, match="sizes of a run must agree"):
        runner.run({"given": whole}, replace(extent, sentences=2))


# ---------------------------------------------------------------- each tensor of each model, harmed


def harmed(tensor: Tensor) -> list[Tensor]:
    """A tensor cut off, and with numbers of places and tokens that are none."""
    flat = tensor.reshape(-1)
    variants = [flat[: len(flat) // 2].clone(), flat[:0].clone()]
    if len(flat) and not tensor.is_floating_point():
        for number in (-1, -(2**31), 2**31 - 1):
            wild = tensor.clone()
            wild.view(-1)[len(flat) // 2] = number
            variants.append(wild)
    return variants


HARMED = [
    "lstm-copy", "gru-cosine", "lstm-multihead", "rnn-additive", "transformer-relative",
    "transformer-rotary", "transformer-copy", "transformer-learned", "transformer-to-gru",
    "convolution-transformer", "subsampling-gru", "patches-gru", "linear-lstm-ctc", "ssru",
    "mingru", "mamba", "transformer-linear",
]  # fmt: skip


@pytest.mark.parametrize("number", ["float32", "int8"])
@pytest.mark.parametrize("name", HARMED)
def test_every_tensor_harmed(name: str, number: Number, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all runs that a model makes: refused, or not read at all."""
    model, engine = engine_of(name, number)
    runs: list[tuple[Runner, Mapping[str, Tensor], Callable[..., Any], tuple[Any, ...]]] = []
    run, sources, search = Runner.run, Runner.run_sources, Runner.search

    def noted(self: Runner, tensors: Any, *rest: Any, of: Any, **more: Any) -> Any:
        runs.append((self, tensors, lambda *given: of(*given, **more), rest))
        return of(self, tensors, *rest, **more)

    with monkeypatch.context() as patch:
        for own, of in (("run", run), ("run_sources", sources), ("search", search)):
            patch.setattr(
                Runner, own, lambda self, *rest, of=of, **more: noted(self, *rest, of=of, **more)
            )
        decode(engine, make_source_for(model, SOURCES), SearchConfig(beam=2, max_length=3))
        _, state = engine.step(make_target([[]] * 3), engine.start(make_source_for(model, SOURCES)))
        engine.step(torch.full((3, 1), 5), state)
        engine.ctc_log_probs(state)
    refused = 0
    for runner, tensors, again, rest in runs:
        for own, tensor in tensors.items():
            for wild in harmed(tensor):
                try:
                    again(runner, {**tensors, own: wild}, *rest)
                except (EngineError, SearchError, ModelError):
                    refused += 1
    assert refused > 20


# ---------------------------------------------------------------- programs that nobody would write

small = st.integers(0, 5)
number = st.one_of(small, st.integers(0, 40), st.sampled_from([-1, 2**26, 2**31 - 1, -(2**31)]))
names = st.sampled_from(["a", "b", "c", "d", "e", "f"])


@st.composite
def operations(draw: st.DrawFn) -> Callable[[Program], None]:
    """One call of a program's methods, with whatever numbers."""
    n = [draw(number) for _ in range(8)]
    t = [draw(names) for _ in range(6)]
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    weight, flat = torch.ones(rows, columns), torch.ones(columns)
    kind: Any = draw(st.sampled_from(["rnn", "lstm", "gru"]))
    flag, bend = draw(st.booleans()), draw(st.sampled_from(["none", "gelu", "relu"]))
    heads = (n[2], n[3], n[4])
    pairs, wide = draw(st.integers(1, 3)), draw(st.integers(1, 9))
    pair = (t[3], t[4]) if flag else None
    calls: list[Callable[[Program], None]] = [
        lambda p: p.embed(n[0], t[0], weight, 1.0),
        lambda p: p.positions(n[0], t[0], step=flag),
        lambda p: p.linear(n[0], n[1], weight, torch.ones(rows), activation=bend, add=flag),
        lambda p: p.norm(n[0], n[1], flat, None, 1e-5, centred=flag),
        lambda p: p.gate(n[0], n[1], activation=bend),
        lambda p: p.place(n[0], n[1], n[2]),
        lambda p: p.mean(n[0], t[0], t[1]),
        lambda p: p.fetch(t[0], n[0], offset=n[1], stride=n[2]),
        lambda p: p.put(n[0], t[0], offset=n[1], stride=n[2]),
        lambda p: p.cell(kind, n[0], n[1], n[2], n[3]),
        lambda p: p.recurrence(
            kind, n[0], weight, None, n[1], offset=n[2], lengths=t[0], last=t[1],
            last_offset=n[3], last_stride=n[4], backwards=flag,
        ),
        lambda p: p.simple_recurrence(
            n[0], n[1], t[0], offset=n[2], stride=n[3], rectified=flag
        ),
        lambda p: p.source_scan(n[0], n[1], lengths=t[0]),
        lambda p: p.key_value_sums(
            n[0], n[1], p.buffer(pairs * (wide + 1) * wide, block=2), pairs=pairs, width=wide,
            lengths=t[0],
        ),
        lambda p: p.linear_attention(n[0], n[1], n[2], heads=heads, lengths=t[0]),
        lambda p: p.source_convolution(n[0], n[1], lengths=t[0], taps=weight, bias=flat),
        lambda p: p.state_space_back(n[0], n[1], n[2], n[3], lengths=t[0], decay=weight),
        lambda p: p.state_space_onwards(
            n[0], n[1], n[2], n[3], n[4], n[5], lengths=t[0], decay=weight, skip=flat
        ),
        lambda p: p.ancestry_attention(
            n[0], n[1], before=n[5], heads=heads, cache=t[0], table=t[1], rotary=pair, bias=None
        ),
        lambda p: p.source_attention(
            n[0], n[1], heads=heads, lengths=t[0], rotary=pair, bias=t[1] if flag else None,
            window=n[5], summaries=n[6] if flag else None,
        ),
        lambda p: p.block_means(n[0], n[1], t[0]),
        lambda p: p.windows(
            t[0], n[0], counts=t[1], room=t[2], across=(n[1], n[2]), down=(n[3], n[4]), height=n[5]
        ),
        lambda p: p.store_memory(n[0], t[0], offset=n[1], pairs=n[2], width=n[3], keys=flag),
        lambda p: p.memory_attention(
            n[0], n[1], heads=heads, value_width=n[5], keys=t[0], values=t[1], lengths=t[2],
            factor=1.0, weights=t[3] if flag else None, additive=flat if n[6] % 2 else None,
        ),
        lambda p: p.vocabulary(n[0], weight, torch.ones(rows), n[1]),
        lambda p: p.copy(n[0], attention=t[0], symbols=t[1], lengths=t[2], size=n[1]),
    ]  # fmt: skip
    return draw(st.sampled_from(calls))


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    size = draw(st.sampled_from([0, 1, 2, 8, 40, 700]))
    dtype = draw(st.sampled_from([torch.float32, torch.int64, torch.int32, torch.bfloat16]))
    if dtype.is_floating_point:
        return torch.zeros(size, dtype=dtype)
    wild = draw(st.sampled_from([0, 1, 2, 3, 50, -1, 2**31 - 1]))
    return torch.full((size,), wild, dtype=dtype)


extents = st.builds(
    Extent,
    rows=st.one_of(small, st.sampled_from(HUGE)),
    sentences=st.one_of(small, st.sampled_from(HUGE)),
    source=st.one_of(small, st.sampled_from(HUGE)),
    position=st.one_of(small, st.sampled_from(HUGE)),
    candidates=st.one_of(small, st.sampled_from(HUGE)),
    capacity=st.one_of(small, st.sampled_from(HUGE)),
    ancestry=st.one_of(small, st.sampled_from(HUGE)),
    distances=st.one_of(small, st.sampled_from(HUGE)),
)


@given(
    kind=st.sampled_from(["float32", "bfloat16", "int8"]),
    widths=st.lists(st.integers(1, 20), min_size=3, max_size=6),
    written=st.lists(operations(), min_size=1, max_size=12),
    handed_in=st.dictionaries(names, tensors()),
    extent=st.one_of(st.builds(Extent, rows=small, sentences=small, source=small), extents),
)
@settings(max_examples=300, deadline=None)
def test_programs_that_nobody_would_write(
    kind: Number,
    widths: list[int],
    written: list[Callable[[Program], None]],
    handed_in: dict[str, Tensor],
    extent: Extent,
) -> None:
    program = Program(kernels(), kind)
    for width in widths:
        program.buffer(width)
    for write in written:
        try:
            write(program)
        except EngineError:
            continue
    for _ in range(2):
        try:
            Runner(program).run(handed_in, extent)
        except EngineError:
            continue


# ---------------------------------------------------------------- whole searches, field by field


@pytest.mark.parametrize("name", ["gru-general", "transformer-rotary"])
def test_every_number_of_a_search_harmed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, engine = engine_of(name)
    search = Runner.search
    fields: list[tuple[str, str]] = []

    def harm(structure: Any, field: str, value: int) -> Any:
        copied = type(structure).from_buffer_copy(structure)
        setattr(copied, field, value)
        return copied

    def harmed_search(self: Runner, tensors: Any, extent: Any, *told: Any, together: bool) -> None:
        for place, structure in enumerate(told):
            for field, kind in structure._fields_:
                if kind is not ctypes.c_int64:
                    continue
                fields.append((type(structure).__name__, field))
                for value in HUGE:
                    if getattr(structure, field) == value or value == 0:
                        continue
                    wild = list(told)
                    wild[place] = harm(structure, field, value)
                    try:
                        search(self, tensors, extent, *wild, together=together)
                    except TransduceError:
                        continue
        search(self, tensors, extent, *told, together=together)

    monkeypatch.setattr(Runner, "search", harmed_search)
    found = decode(engine, make_source_for(model, SOURCES), SearchConfig(beam=2, max_length=4))
    assert len(found) == 3
    assert len(fields) > 15


def test_angles_that_end_before_the_source_does() -> None:
    program = Program(kernels(), "float32")
    together, out = program.buffer(3 * 2 * 4), program.buffer(2 * 4)
    program.fetch("joined", together, stride=24)
    options: dict[str, Any] = {"rotary": ("cosines", "sines"), "bias": None, "window": None}
    program.source_attention(together, out, heads=(2, 2, 4), lengths="lengths", **options)
    cosines, sines = rotary_table(64, 4, torch.device("cpu"))
    given = {
        "joined": torch.randn(1, 70, 24),
        "lengths": torch.tensor([70]),
        "cosines": cosines,
        "sines": sines,
    }
    with pytest.raises(EngineError, match="cosines must have 1120 bytes; got 1024"):
        Runner(program).run(given, Extent(rows=70, sentences=1, source=70))
    assert math.isfinite(float(cosines.sum()))
    assert BEGIN == 2
